"""The deny list of a task: what must never be learned again, known by hashes alone."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

from model.errors import RejectError
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.splits import text_hash

_PERSON = b"freshet.denied"
_TEXT_HASH = re.compile(r"[0-9a-f]{32}")


class NotATextHashError(RejectError):
    """What was given cannot be the hash of a text."""


class Known(Protocol):
    """What is known of a record without its text."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def text_hash(self) -> str: ...  # noqa: D102


class Said(Protocol):
    """A record with its text."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class DenyList:
    """Records by their ids, and texts under whatever id; immutable.

    Hashes are not secret: whoever has an id or a text can ask whether it is denied, as a deny list
    must answer. What they keep out of the store is the id or text itself.
    """

    ids: frozenset[str] = frozenset()
    """`id_hash` of each."""
    texts: frozenset[str] = frozenset()
    """`model.splits.text_hash` of each."""

    @classmethod
    def of_id(cls, record_id: str) -> Self:
        """The record of one id."""
        return cls(ids=frozenset({id_hash(record_id)}))

    @classmethod
    def of_text(cls, hashed: str) -> Self:
        """Every record of one text.

        Args:
            hashed: its `model.splits.text_hash`.

        Raises:
            NotATextHashError: it is not 32 hexadecimal digits.
        """
        if not _TEXT_HASH.fullmatch(hashed):
            msg = f"{hashed!r} is no hash of a text: that is 32 digits of 0-9 and a-f"
            raise NotATextHashError(msg)
        return cls(texts=frozenset({hashed}))

    def __bool__(self) -> bool:
        return bool(self.ids or self.texts)

    def __or__(self, other: Self) -> Self:
        return type(self)(self.ids | other.ids, self.texts | other.texts)

    def __ge__(self, other: Self) -> bool:
        return self.ids >= other.ids and self.texts >= other.texts

    def covers(self, known: Known) -> bool:
        """Whether a record is denied, by what a journal row says of it."""
        return known.text_hash in self.texts or self._names(known.id)

    def denies(self, record: Said) -> bool:
        """Whether a record is denied."""
        return self._names(record.id) or bool(self.texts and text_hash(record.text) in self.texts)

    def _names(self, record_id: str) -> bool:
        return bool(self.ids) and id_hash(record_id) in self.ids


NOTHING = DenyList()


def id_hash(record_id: str) -> str:
    """128 bits of BLAKE2b over an id, as 32 hexadecimal digits."""
    raw = record_id.encode(errors="surrogatepass")
    return hashlib.blake2b(raw, digest_size=16, person=_PERSON).hexdigest()


def deny_list(lineage: Lineage, entry: LineageEntry | None) -> DenyList:
    """What is denied after an entry.

    Raises:
        StoreUnavailableError: the store does not answer.
        RejectError: the entry that holds the list is gone or cannot be read.
    """
    held = _holder(lineage, entry)
    if held is None or held.forgetting is None:
        return NOTHING
    return DenyList(frozenset(held.forgetting.ids), frozenset(held.forgetting.texts))


def tuned_on_denied(lineage: Lineage, entry: LineageEntry | None) -> frozenset[int]:
    """Sequences of the refreshes whose encoders may have been tuned on what is denied."""
    held = _holder(lineage, entry)
    return frozenset(held.forgetting.tuned if held and held.forgetting else ())


def in_order(hashes: Iterable[str]) -> tuple[str, ...]:
    """As an entry holds them: equal lists are equal bytes."""
    return tuple(sorted(hashes))


def _holder(lineage: Lineage, entry: LineageEntry | None) -> LineageEntry | None:
    if entry is None or entry.denied_in is None:
        return None
    return entry if entry.denied_in == entry.sequence else lineage.entry(entry.denied_in)
