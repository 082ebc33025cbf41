"""A model's history is a log too: one entry a round, created with put-if-absent, never changed.

    tasks/<task>/attempts/<attempt>/...      files of one candidate, written first
    tasks/<task>/lineage/<sequence>.json     its outcome, written last
    encoders/<digest>/...                    shared by all versions that use it

A version exists when its entry exists, so a crash at any moment leaves at most files that nobody
names. Two workers cannot fork a lineage: the loser's create fails and it reads the new tip. Entries
stay for ever; `model.prune` removes the files that no kept version needs.
"""

import re
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from model.config.task import STORED
from model.errors import AlreadyExistsError, ArtifactRefusedError, TipMovedError
from model.lineage_entry import LineageEntry
from model.store import Store
from schemas.faults import told

_ENTRY = re.compile(r"(\d{8})\.json")


class Lineage:
    """The lineage of one task in an object store."""

    def __init__(self, store: Store, task: str) -> None:
        self.store = store
        self.task = task
        self._folder = f"tasks/{task}/lineage"

    def tip(self, known: LineageEntry | None = None) -> LineageEntry | None:
        """The last entry, or None for a task that never learned.

        Args:
            known: an entry of this lineage; only later ones are looked for.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        after = self.path_of(known.sequence) if known else None
        later = _sequences(self.store.list(self._folder, after=after))
        return self.entry(later[-1]) if later else known

    def sequences(self) -> list[int]:
        """The numbers of all entries, ascending."""
        return _sequences(self.store.list(self._folder))

    def entry(self, sequence: int) -> LineageEntry:
        """One entry.

        Raises:
            NotFoundError: there is no such entry.
            ArtifactRefusedError: it is there and cannot be read.
        """
        path = self.path_of(sequence)
        raw = self.store.get(path)
        try:
            entry = LineageEntry.model_validate_json(raw, extra="ignore", context=STORED)
        except ValidationError as error:
            msg = f"{path} is not a lineage entry: {told(error)}"
            raise ArtifactRefusedError(msg) from error
        if (entry.task, entry.sequence) != (self.task, sequence):
            msg = f"{path} is not its entry, but entry {entry.sequence} of {entry.task}"
            raise ArtifactRefusedError(msg)
        return entry

    def back_from(self, entry: LineageEntry) -> Iterator[LineageEntry]:
        """The entry and those before it, newest first."""
        yield entry
        for sequence in range(entry.sequence - 1, -1, -1):
            yield self.entry(sequence)

    def commit(self, entry: LineageEntry) -> None:
        """Extend the lineage: the one write that makes a round real.

        Raises:
            TipMovedError: somebody else wrote this sequence first.
            StoreUnavailableError: it is not known whether it was written; commit again.
        """
        path = self.path_of(entry.sequence)
        try:
            self.store.create(path, entry.model_dump_json(indent=1).encode())
        except AlreadyExistsError as error:
            # A put that is retried after it had succeeded says "exists": the attempt tells.
            if self.entry(entry.sequence).attempt != entry.attempt:
                msg = f"{path} was written by another worker; read the new tip and try again"
                raise TipMovedError(msg) from error

    def path_of(self, sequence: int) -> str:
        """Where an entry lies in the store."""
        return f"{self._folder}/{sequence:08d}.json"


def _sequences(paths: Iterable[str]) -> list[int]:
    """The numbers of the entries among these; whatever else somebody left beside them is none."""
    found = (_ENTRY.fullmatch(path.rsplit("/", 1)[-1]) for path in paths)
    return [int(each[1]) for each in found if each]


def encoder_folder(digest: str) -> str:
    """Where an encoder lies, whichever tasks use it."""
    return f"encoders/{digest}"


def attempts_folder(task: str) -> str:
    """Where the files of a task's rounds lie."""
    return f"tasks/{task}/attempts"


def sequence_of_attempt(attempt: str) -> int | None:
    """The number that an attempt tries for; None for a name that no attempt has."""
    number, _, rest = attempt.partition("-")
    return int(number) if number.isdecimal() and rest else None


def no_lineage(store: Store, task: str) -> str:
    """What to say of a task that the store does not have."""
    known = ", ".join(tasks_in(store)) or "none"
    return f"no lineage of task {task!r} in {store.uri}; it has: {known}"


def tasks_in(store: Store) -> list[str]:
    """The tasks that have a lineage in the store, sorted."""
    paths = store.list("tasks")
    return sorted({path.split("/")[1] for path in paths if "/lineage/" in path})
