"""Takes records out of a state, as if they had never been learned: what is left, row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from model.deltas import BEFORE_ALL, applied, counted
from model.denied import DenyList
from model.journal import Row
from model.state import TaskState
from model.statistics import Statistics

MOST_HALF_LIVES = 10.0
"""By which statistics are made to count more again: what is left of a sum after a subtraction has
its rounding, which grows with it. Further on, the scale is right from the next record on."""


def counted_rows(state: TaskState, denied: DenyList) -> tuple[Row, ...]:
    """The denied rows that the statistics hold, of those that the state knows.

    Behind the row of an id may stand an older one, which a rejected correction has not taken back.
    """
    behind = [held for row in state.journal if (held := counted(row, state)) is not None]
    # A rejected round would have taken these back for other ids; the journal knows them no more.
    behind += [
        replace(row, weight=-row.weight)
        for rows in state.set_apart.values()
        for row in rows
        if row.weight < 0 and state.journal.get(row.id) is None
    ]
    return tuple({row.id: row for row in behind if denied.covers(row)}.values())


def erased(state: TaskState, denied: DenyList, lost: Sequence[Row]) -> TaskState:
    """The state without the denied records; its head stays, and is to be solved anew.

    What a denied record counts for is subtracted with its whole weight, whatever it stood for, so
    that no feature of it stays. Where only a rejected correction is denied, the row that it would
    have replaced is what is known again. What is not undone: with `half_life_records` a denied
    record has aged those before it by one record, and under `conflicting_labels: newest` another
    may have given way to it.

    Args:
        state: of the task.
        denied: what to take out.
        lost: the denied rows that the statistics hold.
    """
    held_out = [row.id for row in state.holdout.rows if denied.denies(row)]
    holdout = state.holdout.remove(held_out)
    left = replace(
        state,
        journal=state.journal.replaced(_kept(state, denied)),
        set_apart={
            sequence: _kept_apart(rows, denied) for sequence, rows in state.set_apart.items()
        },
        holdout=holdout,
        features={row.id: state.features[row.id] for row in holdout.rows},
        replay=state.replay.without(
            {(row.id, row.sequence) for row in state.replay.rows if denied.denies(row)}
        ),
    )
    return replace(left, statistics=_subtracted(left, lost)) if lost else left


def to_be_solved(state: TaskState, left: TaskState) -> bool:
    """Whether the head that serves was made from anything that is gone from `left`.

    Selection records chose it and its temperature. A head that was trained cannot be solved anew.
    """
    if state.head is None or state.head.form == "softmax":
        return False
    chose = state.holdout.part("select") != left.holdout.part("select")
    return chose or left.statistics is not state.statistics


def snapshot_rows(state: TaskState) -> tuple[Row, ...]:
    """Every row that a journal must hold for the state to be read back from it alone."""
    known = {(row.id, row.sequence) for row in state.journal}
    # First what is only set apart: it must neither replace nor outlive what is known.
    apart = (
        row
        for rows in state.set_apart.values()
        for row in rows
        if row.weight < 0 or (row.id, row.sequence) not in known
    )
    return (*apart, *state.journal)


def _subtracted(left: TaskState, lost: Sequence[Row]) -> Statistics:
    """The statistics without the rows, at a clock at which the newest row left counts fully."""
    rows = [replace(row, weight=-row.weight) for row in lost]
    rest = applied(left.statistics, rows, left.label_index())
    held = [row.clock for known in left.journal if (row := counted(known, left)) is not None]
    clock = max(held, default=rest.clock)
    if rest.clock - clock > MOST_HALF_LIVES:
        return rest
    grown = float(2.0 ** (rest.clock - clock))
    return replace(
        rest,
        counts=rest.counts * grown,
        sums=rest.sums * grown,
        gram=rest.gram * grown,
        clock=clock,
    )


def _kept(state: TaskState, denied: DenyList) -> Iterator[Row]:
    for row in state.journal:
        if not denied.covers(row):
            yield row
        elif row.sequence in state.set_apart:
            behind = counted(row, state)
            if behind is not None and not denied.covers(behind):
                yield replace(behind, sequence=BEFORE_ALL)


def _kept_apart(rows: Sequence[Row], denied: DenyList) -> tuple[Row, ...]:
    gone = {row.id for row in rows if row.weight > 0 and denied.covers(row)}
    return tuple(
        row for row in rows if not denied.covers(row) and not (row.weight < 0 and row.id in gone)
    )
