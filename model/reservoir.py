"""A hash-keyed reservoir: which records a memory keeps, balanced over labels and slices.

What is kept depends on the texts alone, so that order, redelivery and partitions do not change it
and there is no random state to save (bottom-k sampling, Cohen and Kaplan 2007, within each class).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from model.splits import normalise_text


class Keepable(Protocol):
    """A record that a memory may keep."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str | None: ...  # noqa: D102
    @property
    def event_time(self) -> datetime: ...  # noqa: D102
    @property
    def sequence(self) -> int:
        """The round that brought it."""
        ...


RowT = TypeVar("RowT", bound=Keepable)


def merged(rows: Iterable[RowT]) -> list[RowT]:
    """Each id once, and each text once under each label.

    An id with one label keeps its lowest sequence; with two the higher sequence wins. Of ids that
    share text and label the first to come stays.
    """
    by_id: dict[str, RowT] = {}
    for row in rows:
        by_id[row.id] = _preferred(by_id.get(row.id), row)
    by_text: dict[tuple[str, str], RowT] = {}
    for row in sorted(by_id.values(), key=lambda row: (row.sequence, row.id)):
        by_text.setdefault((normalise_text(row.text), row.label), row)
    return list(by_text.values())


def selected(rows: Iterable[RowT], *, records: int, text_bytes: int, key: bytes) -> list[RowT]:
    """The records that stay within the budgets.

    Of each label and slice (its source, else the round it came with) the records with the smallest
    keyed hashes come first. Slices take turns within their label, and labels take turns: a small
    one leaves its turns to the larger. Adding records only moves others back, so that a memory
    filled record by record equals one filled at once. The budget of bytes passes over texts that no
    longer fit; where it binds, which of the last ones fit depends on the order in which they came.

    Args:
        rows: each id and text once.
        records: most that stay.
        text_bytes: most bytes of their texts, UTF-8.
        key: of the hash, at most 16 bytes; another memory has another one.
    """
    kept: list[RowT] = []
    left = text_bytes
    for row in _in_turns(rows, key):
        size = len(row.text.encode(errors="surrogatepass"))
        if len(kept) == records:
            break
        if size <= left:
            kept.append(row)
            left -= size
    return kept


def _in_turns(rows: Iterable[RowT], key: bytes) -> list[RowT]:
    by_label: defaultdict[str, list[RowT]] = defaultdict(list)
    for row in rows:
        by_label[row.label].append(row)
    # Ties between labels go by the label: by the record they would change when others come.
    queue = [
        (turn, _hash(label, key), row)
        for label, held in by_label.items()
        for turn, row in enumerate(_slices_in_turns(held, key))
    ]
    return [row for _, _, row in sorted(queue, key=lambda item: item[:2])]


def _slices_in_turns(rows: Iterable[RowT], key: bytes) -> list[RowT]:
    slices: defaultdict[str | int, list[tuple[bytes, str, RowT]]] = defaultdict(list)
    for row in rows:
        where = row.sequence if row.source is None else row.source
        slices[where].append((_hash(normalise_text(row.text), key), row.id, row))
    queue = [
        (turn, *item)
        for held in slices.values()
        for turn, item in enumerate(sorted(held, key=lambda item: item[:2]))
    ]
    return [row for _, _, _, row in sorted(queue, key=lambda item: item[:3])]


def _hash(text: str, key: bytes) -> bytes:
    raw = text.encode(errors="surrogatepass")
    return hashlib.blake2b(raw, digest_size=16, person=key).digest()


def _preferred(held: RowT | None, offered: RowT) -> RowT:
    if held is None:
        return offered
    if held.label == offered.label:
        return min(held, offered, key=lambda row: row.sequence)
    return max(held, offered, key=lambda row: (row.sequence, row.label))
