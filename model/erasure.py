"""Takes records out of a state, as if they had never been learned: what is left, row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from model.deltas import BEFORE_ALL, applied, counted
from model.denied import DenyList
from model.journal import Row
from model.state import TaskState


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


def erased(state: TaskState, denied: DenyList, counted: Sequence[Row]) -> TaskState:
    """The state without the denied records; its head stays, and is to be solved anew.

    What a denied record counts for is subtracted with its whole weight, whatever it stood for, so
    that no feature of it stays. Where only a rejected correction is denied, the row that it would
    have replaced is what is known again. What is not undone: a denied record has moved on the clock
    of a half-life, by its share of one in records, in days until the next record comes; and under
    `conflicting_labels: newest` another record may have given way to it.

    Args:
        state: of the task.
        denied: what to take out.
        counted: the denied rows that the statistics hold.
    """
    lost = [replace(row, weight=-row.weight) for row in counted]
    held_out = [row.id for row in state.holdout.rows if denied.denies(row)]
    holdout = state.holdout.remove(held_out)
    return replace(
        state,
        statistics=applied(state.statistics, lost, state.label_index())
        if lost
        else state.statistics,
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
