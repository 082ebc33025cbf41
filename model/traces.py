"""Where the records that are to be forgotten have left anything, round by round."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from model.denied import DenyList
from model.errors import ArtifactRefusedError
from model.journal import Row
from model.ledger import journal_rows, ledger_of
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.replay_memory import ReplayMemory, ReplayRow
from model.splits import text_hash
from model.state import TaskState
from schemas.evaluation import Outcome
from schemas.model_version import Artifact


@dataclass(frozen=True, slots=True)
class Brought:
    """A record that a round brought, without its text."""

    id: str
    text_hash: str
    part: str
    sequence: int
    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, row: Row) -> Self:
        """As a journal has it."""
        place = row.topic, row.partition, row.offset
        return cls(row.id, row.text_hash, row.part, row.sequence, *place)

    @classmethod
    def remembered(cls, row: ReplayRow) -> Self:
        """As the replay memory has it."""
        place = row.topic, row.partition, row.offset
        return cls(row.id, text_hash(row.text), "learn", row.sequence, *place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What is known of the records, and what may still hold them once they are forgotten."""

    brought: tuple[Brought, ...] = ()
    """What the journals and the replay memory say of them, the newest first."""
    counted: tuple[Row, ...] = ()
    """What the statistics hold, to be subtracted."""
    num_unsure: int = 0
    """Learned before the journal began, and perhaps read again by a refresh since: the statistics
    may hold these, and only a refresh takes them out."""
    num_held_out: int = 0
    num_remembered: int = 0
    learned_by: tuple[int, ...] = ()
    """Sequences of the versions that learned any of them."""
    tuned: tuple[int, ...] = ()
    """Sequences of the refreshes that may have fitted their encoders on any of them."""
    encoders: tuple[str, ...] = ()
    """Digests of these encoders."""
    files: tuple[Artifact, ...] = ()
    """Files of the rounds so far that may hold them."""
    num_pruned: int = 0
    """Rounds whose journals are gone, so that nobody knows whether these learned any."""

    def __bool__(self) -> bool:
        return bool(self.brought or self.num_held_out)

    @property
    def places(self) -> tuple[tuple[str, int, int], ...]:
        """Topic, partition and offset of each in the log."""
        return tuple(sorted({(b.topic, b.partition, b.offset) for b in self.brought}))


def find_traces(state: TaskState, lineage: Lineage, denied: DenyList) -> Traces:
    """Look for records in the state after the tip, and in the journals of every round before.

    Journals are read as far as their files are there. A version has learned a record where the
    round that brought it is neither set apart nor given up; an encoder may have been tuned on it
    where its refresh read it again, from the log or from the replay memory of then.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    if state.tip is None:
        return Traces()
    entries = list(lineage.back_from(state.tip))[::-1]
    remembered = [Brought.remembered(row) for row in state.replay.rows if denied.denies(row)]
    num_held_out = sum(denied.denies(row) for row in state.holdout.rows)
    in_files = {
        entry.sequence: [Brought.of(row) for row in journal_rows(lineage, entry, denied)]
        for entry in reversed(entries)
    }
    brought = dict.fromkeys([*(b for held in in_files.values() for b in held), *remembered])
    periods = [_Period.of(each, entries) for each in brought if each.part == "learn"]
    tuned = [e for e in entries if _tuned(e, periods, lineage, denied)]
    ledger = ledger_of(state, lineage, state.tip, denied, already=state.denied)
    return Traces(
        brought=tuple(brought),
        counted=ledger.counted,
        num_unsure=len(
            {period.record.id for period in periods if period.until == math.inf} - ledger.told
        ),
        num_held_out=num_held_out,
        num_remembered=len(remembered),
        learned_by=tuple(e.sequence for e in entries if _learned(e, periods)),
        tuned=tuple(e.sequence for e in tuned),
        encoders=tuple(dict.fromkeys(e.encoder.digest for e in tuned if e.encoder)),
        files=_files(entries, in_files, periods, held_out=num_held_out > 0),
        num_pruned=sum(_journal_gone(entry, lineage) for entry in entries),
    )


def _journal_gone(entry: LineageEntry, lineage: Lineage) -> bool:
    journal = entry.files.journal if entry.files else None
    return journal is not None and not lineage.store.holds(journal.path)


@dataclass(frozen=True, slots=True)
class _Period:
    """A learned record, and the entry that had it forgotten before, if one had."""

    record: Brought
    until: float

    @classmethod
    def of(cls, record: Brought, entries: Iterable[LineageEntry]) -> Self:
        lists = (
            (entry.sequence, DenyList(frozenset(held.ids), frozenset(held.texts)))
            for entry in entries
            if (held := entry.forgetting) is not None
        )
        until = (sequence for sequence, denied in lists if denied.covers(record))
        return cls(record, next(until, math.inf))

    def spans(self, sequence: int) -> bool:
        """Whether an entry came between the two."""
        return self.record.sequence <= sequence < self.until


def _learned(entry: LineageEntry, periods: Sequence[_Period]) -> bool:
    gone = {*entry.set_apart, *entry.given_up}
    return entry.version is not None and any(
        period.spans(entry.sequence) and period.record.sequence not in gone for period in periods
    )


def _tuned(
    entry: LineageEntry, periods: Sequence[_Period], lineage: Lineage, denied: DenyList
) -> bool:
    known = [period.record for period in periods if period.spans(entry.sequence)]
    if entry.kind != "refresh" or entry.outcome is not Outcome.PROMOTED or not known:
        return False
    read_again = any(
        (record.topic, record.partition) == (span.topic, span.partition)
        and span.start <= record.offset < span.end
        for record in known
        for span in entry.refresh_reads
    )
    return read_again or _remembered(entry, lineage, denied)


def _remembered(entry: LineageEntry, lineage: Lineage, denied: DenyList) -> bool:
    """Whether the replay memory of then held any; where its file is gone, it may have."""
    held = entry.files.replay if entry.files else None
    if held is None:
        return False
    try:
        memory = ReplayMemory.from_bytes(lineage.store.fetch(held), records=1, text_bytes=1)
    except ArtifactRefusedError:
        return True
    return any(denied.denies(row) for row in memory.rows)


def _files(
    entries: Sequence[LineageEntry],
    in_files: dict[int, list[Brought]],
    periods: Sequence[_Period],
    *,
    held_out: bool,
) -> tuple[Artifact, ...]:
    """Journals that name them; what else was written while they were known, unread."""
    found: list[Artifact | None] = []
    first = min((b.sequence for held in in_files.values() for b in held), default=0)
    for entry in entries:
        files = entry.files
        if files is None:
            continue
        if in_files[entry.sequence]:
            found.append(files.journal)
        if held_out and entry.sequence >= first:
            found.append(files.holdout)
        if any(period.spans(entry.sequence) for period in periods):
            found += [files.statistics, files.replay, files.head]
            found.append(entry.version.head if entry.version else None)
    return tuple({held.path: held for held in found if held is not None}.values())
