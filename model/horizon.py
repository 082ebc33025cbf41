"""Which held-out records still say something: those inside the horizon of what is learned.

The rest would keep alive what is meant to be forgotten.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Literal

from model.ageing import counts
from model.config import HeadConfig
from model.deltas import BEFORE_ALL
from model.holdout import HoldoutRow
from model.journal import Row
from model.state import TaskState
from model.statistics import Statistics


def held_out(
    state: TaskState, part: Literal["select", "judge"], config: HeadConfig
) -> list[HoldoutRow]:
    """The held-out records that may choose, or those that judge.

    A record that was held out in a round of which nothing is learned any more, or before the
    configured days, or before a drift after which the regime before it was forgotten, is left out.

    Args:
        state: its holdout, and the journal whose rows are learned.
        part: which half of the holdout.
        config: the horizon.
    """
    first = state.tip.horizon_from if state.tip else 0
    rows = [row for row in state.holdout.part(part) if row.sequence >= first]
    learned = list(_learned(state)) if has_horizon(config) else []
    if not learned:
        return rows
    if config.horizon_records is not None:
        first = min(row.sequence for row in learned)
        rows = [row for row in rows if row.sequence >= first]
    if config.horizon_days is not None:
        newest = max(row.event_time for row in learned)
        oldest = newest - timedelta(days=config.horizon_days)
        rows = [row for row in rows if row.event_time > oldest]
    return rows


def choosing(state: TaskState, config: HeadConfig) -> list[HoldoutRow]:
    """The selection records of labels with learned records: the others say nothing."""
    return of_learned(held_out(state, "select", config), state, state.statistics)


def of_learned(
    rows: Iterable[HoldoutRow], state: TaskState, statistics: Statistics
) -> list[HoldoutRow]:
    """Those whose label has records in the statistics, which may know fewer labels."""
    counted = zip(state.labels, statistics.counts, strict=False)
    live = {label for label, count in counted if count > 0}
    return [row for row in rows if row.label in live]


def has_horizon(config: HeadConfig) -> bool:
    """Whether learned records are forgotten after a while."""
    return config.horizon_records is not None or config.horizon_days is not None


def _learned(state: TaskState) -> Iterator[Row]:
    """What the journal holds and the statistics too, less what was reinstated from before."""
    return (row for row in state.journal if counts(row, state) and row.sequence != BEFORE_ALL)
