"""Reads the learned records back, as a refresh needs them: from the log, else from the memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise

from model.config import RefreshConfig, TaskConfig
from model.data import Log, Record
from model.deltas import spent_rounds
from model.errors import SpanDeletedError
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.splits import split_of
from model.state import TaskState
from schemas.base import Span
from schemas.evaluation import Outcome


@dataclass(frozen=True, slots=True)
class Reread:
    """The learned records that are at hand, oldest first, with the round that brought each.

    Records of rejected rounds are apart: their features are kept up, they are not learned.
    """

    learned: tuple[tuple[Record, int], ...]
    apart: tuple[tuple[Record, int], ...]
    spans: tuple[Span, ...]
    """What was read from the log."""
    remembered: int = 0
    """How many of the records came from the replay memory."""
    lost: tuple[Span, ...] = ()
    """Those of the spans that the log does not hold as a whole any more."""


def read_again(state: TaskState, lineage: Lineage, log: Log, *, config: TaskConfig) -> Reread:
    """The records that increments learned, newest rounds first until the budget is met.

    What the log does not give (retention has deleted it, or `read_log` forbids to read behind the
    newest round) comes from the replay memory. Behind the budget only labels of which it holds too
    few are read on, so that none is lost. A record counts once: of an id that the journal knows the
    record that it names, which a repeat does not change, else the newest. Held-out texts are left
    out by the hash that held them out, and so is what is denied.
    """
    if state.tip is None:
        return Reread((), (), ())
    split = state.split(config)
    held: dict[str, tuple[Record, int]] = {}
    spans: list[Span] = []
    lost: list[Span] = []
    budget = _Budget(state, config.refresh)
    for entry, through in _rounds(lineage, state.tip, read_log=config.refresh.read_log):
        if budget.spent:
            break
        for span in reversed(entry.spans):
            spans.append(span)
            refused = frozenset(entry.refused.get(span.place, ()))
            below = through.get(span.place, 0)
            for record in reversed(_read(log, lineage.task, span, lost)):
                if record.offset < below or record.offset in refused:
                    continue  # an earlier round dealt with it, or it was never learned
                if state.denied and state.denied.denies(record):
                    continue
                sequence = _brought_by(record, entry.sequence, held, state)
                learnable = split_of(record.text, salt=split.salt, share=split.share) == "learn"
                if sequence is not None and learnable and budget.takes(record, held):
                    held[record.id] = (record, sequence)
    from_log = len(held)
    for row in reversed(state.replay.rows):
        sequence = None if row.id in held else _brought_by(row.record, row.sequence, held, state)
        if sequence is not None and budget.takes(row.record, held):
            held[row.id] = (row.record, sequence)
    apart = not_learned(state, config)
    oldest_first = list(reversed(held.values()))
    return Reread(
        learned=tuple(item for item in oldest_first if item[1] not in apart),
        apart=tuple(item for item in oldest_first if item[1] in apart),
        spans=tuple(reversed(spans)),
        remembered=len(held) - from_log,
        lost=tuple(reversed(lost)),
    )


def not_learned(state: TaskState, config: TaskConfig) -> frozenset[int]:
    """The rejected rounds whose records stay apart, for the next increment to try again.

    Before the first version every round was rejected: there is nothing else to learn from. Under a
    trained head no increment tries anything, so that the refresh takes what was apart, but for what
    was taken and rolled back often enough.
    """
    if state.head is None:
        return frozenset()
    return spent_rounds(state) if config.head.form == "softmax" else frozenset(state.set_apart)


def _rounds(
    lineage: Lineage, tip: LineageEntry, *, read_log: bool
) -> Iterator[tuple[LineageEntry, Mapping[str, int]]]:
    """The rounds whose spans may be read, newest first, each with what was trained through before.

    Without the log the newest of them alone: what came before it is gone.
    """
    for entry, before in pairwise(chain(lineage.back_from(tip), (None,))):
        if entry is None:
            return
        if _taught(entry, tip):
            yield entry, before.trained_through if before else {}
            if not read_log:
                return


def _read(log: Log, task: str, span: Span, lost: list[Span]) -> list[Record]:
    try:
        return log.read(task, span, strict=True)
    except SpanDeletedError:
        lost.append(span)
    return left_of(log, task, span)


def left_of(log: Log, task: str, span: Span) -> list[Record]:
    """What the log still holds of a span."""
    try:
        return log.read(task, span, strict=False)
    except SpanDeletedError:
        return []  # deleted while it was being read


class _Budget:
    """How many records are read again: a number over all labels, and a few of each label at least.

    Args:
        state: labels that the statistics hold.
        config: the number, and the few.
    """

    def __init__(self, state: TaskState, config: RefreshConfig) -> None:
        self._left = config.reread_records
        self._floor = config.min_records_per_label
        live = zip(state.labels, state.statistics.counts, strict=False)
        self._short = {label: self._floor for label, count in live if count > 0}

    @property
    def spent(self) -> bool:
        """Whether nothing more is wanted."""
        return self._left <= 0 and not self._short

    def takes(self, record: Record, held: Mapping[str, object]) -> bool:
        """Whether to take the record; counts it, unless its id is held already."""
        if record.id in held:
            return True
        wanted = self._short.get(record.label, 0)
        if self._left <= 0 and not wanted:
            return False
        self._left -= 1
        if wanted == 1:
            del self._short[record.label]
        elif wanted:
            self._short[record.label] = wanted - 1
        return True


def _brought_by(
    record: Record, entry: int, held: Mapping[str, tuple[Record, int]], state: TaskState
) -> int | None:
    """The round that brought a record, or None for a repeat or one that was corrected since."""
    row = state.journal.get(record.id)
    if row is not None:
        same = (row.topic, row.partition, row.offset) == (
            record.topic,
            record.partition,
            record.offset,
        )
        return row.sequence if same else None
    newer = held.get(record.id)
    # Beyond the journal: where two rounds read the same record, the older one brought it.
    return entry if newer is None or newer[0] == record else None


def _taught(entry: LineageEntry, tip: LineageEntry) -> bool:
    # Under a trained head an increment promotes nothing, yet its records wait for the refresh.
    brought = entry.outcome is not Outcome.SKIPPED or entry.evaluation.counts.learned > 0
    return (
        entry.kind == "increment"
        and entry.outcome in (Outcome.PROMOTED, Outcome.REJECTED, Outcome.SKIPPED)
        and brought
        and entry.sequence not in tip.given_up
    )
