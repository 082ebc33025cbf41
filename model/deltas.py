"""What a round adds to and takes from what is learned, row by row, so that it can be undone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from model.encoder import Features
from model.intake import Intake
from model.journal import Row
from model.state import TaskState, stacked
from model.statistics import Statistics

TRIES_OF_A_REJECTED_ROUND = 3
"""How many later increments try the records of a rejected one again, once a version serves. Those
that adopted them count where a rollback sets them apart once more."""

BEFORE_ALL = -1
"""The sequence of a row that was reinstated: it counts, whatever round had brought it."""


def rows_of(intake: Intake, features: Features, state: TaskState) -> tuple[Row, ...]:
    """The journal rows of an increment: what it takes back, then what it brings.

    An old row is taken back with a negative weight only where it counts in the statistics; a
    held-out or set-apart one just gives way to the new row of its id. It goes with its whole
    weight, also where it stood for others: nothing of a record may stay that no row tells of.

    Args:
        intake: its records (N).
        features: (N, D) of `intake.taken`, in order.
        state: the state before.
    """
    back = (
        replace(held, weight=-held.weight, sequence=state.sequence)
        for old in intake.taken_back
        if (held := counted(old, state)) is not None
    )
    brought = (
        Row.of(
            item.record,
            part=item.part,
            sequence=state.sequence,
            text_hash=item.text_hash,
            features=features[index],
        )
        for index, item in enumerate(intake.taken)
    )
    return (*back, *brought)


def counted(old: Row, state: TaskState) -> Row | None:
    """The row of an id that the statistics hold; a rejected correction still has one behind it."""
    if old.sequence in state.set_apart:
        behind = [row for row in state.set_apart[old.sequence] if row.id == old.id]
        taken = next((row for row in behind if row.weight < 0), None)
        return None if taken is None else replace(taken, weight=-taken.weight)
    given_up = state.tip.given_up if state.tip else ()
    counts = old.part == "learn" and old.features is not None and old.sequence not in given_up
    return old if counts else None


def applied(
    statistics: Statistics, rows: Iterable[Row], label_index: Mapping[str, int]
) -> Statistics:
    """The statistics with the learned rows added, then those of negative weight subtracted.

    Statistics first decay to the clock of the newest row, and a row weighs what it still counts
    then. One product for each sign, in the order of the rows: the same rows give the same bits.
    Rows hold plain features, which the statistics expand.
    """
    counted = [row for row in rows if row.part == "learn" and row.features is not None]
    gained = [row for row in counted if row.weight > 0]
    lost = [row for row in counted if row.weight < 0]
    grown = statistics.with_labels(len(label_index))
    grown = grown.decayed(max((row.clock for row in gained), default=grown.clock))
    if gained:
        grown = grown.add(*_columns(gained, label_index, grown))
    if lost:
        grown = grown.subtract(*_columns(lost, label_index, grown))
    return grown


def _columns(
    rows: Sequence[Row], label_index: Mapping[str, int], statistics: Statistics
) -> tuple[Features, list[int], list[float]]:
    features = stacked([row.features for row in rows if row.features is not None], statistics.dim)
    weights = [abs(row.weight) * 2.0 ** (row.clock - statistics.clock) for row in rows]
    return features, [label_index[row.label] for row in rows], weights


def set_apart_without(
    set_apart: Mapping[int, tuple[Row, ...]], taken_back: Iterable[Row]
) -> dict[int, tuple[Row, ...]]:
    """The rows of rejected rounds, less those of the ids that a correction replaces."""
    replaced = {(row.id, row.sequence) for row in taken_back}
    return {
        sequence: tuple(row for row in rows if (row.id, sequence) not in replaced)
        for sequence, rows in set_apart.items()
    }


def spent_rounds(state: TaskState) -> frozenset[int]:
    """The rejected or blamed rounds that were tried often enough."""
    tried = ((sequence, state.tries.get(sequence, 0)) for sequence in state.set_apart)
    return frozenset(s for s, count in tried if count >= TRIES_OF_A_REJECTED_ROUND)


def reinstated(rows: Iterable[Row]) -> tuple[Row, ...]:
    """What was true before a round that is given up: the rows that it would have taken back."""
    return tuple(
        replace(row, weight=-row.weight, sequence=BEFORE_ALL) for row in rows if row.weight < 0
    )
