"""How learned records lose weight: a half-life, and a horizon behind which they are forgotten."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from model.config import HeadConfig
from model.journal import Row
from model.reread import Reread
from model.state import TaskState

_DAY = timedelta(days=1)


def aged(rows: Sequence[Row], state: TaskState, config: HeadConfig) -> tuple[Row, ...]:
    """The rows of an increment on the clock of the statistics, behind what they push out.

    Learned rows get the clock at which they count fully; one that comes in behind the horizon stays
    known by its id and counts nothing. Rows that leave the horizon, or with a horizon the journal,
    are taken back with their whole weight: what is learned is what the journal holds.

    Args:
        rows: of `model.deltas.rows_of`.
        state: the state before.
        config: half-life and horizon.
    """
    brought = [row for row in rows if _learned(row)]
    clocks = _clocks(brought, state, config)
    placed = iter([replace(row, clock=clock) for row, clock in zip(brought, clocks, strict=True)])
    timed = [next(placed) if _learned(row) else row for row in rows]
    if config.horizon_records is None and config.horizon_days is None:
        return tuple(timed)
    replaced, after = {row.id for row in rows}, state.journal.extended(rows)
    held = [row for row in state.journal if row.id not in replaced and counts(row, state)]
    held.sort(key=lambda row: row.sequence)  # what was reinstated is older than all
    inside = _inside([row.event_time for row in (*held, *brought)], config)
    leaving = [
        replace(row, weight=-row.weight, sequence=state.sequence)
        for row, stays in zip(held, inside, strict=False)
        if not stays or after.get(row.id) is None
    ]
    behind = {row.id for row, stays in zip(brought, inside[len(held) :], strict=True) if not stays}
    kept = [replace(row, features=None) if row.id in behind else row for row in timed]
    return (*leaving, *kept)


def counts(row: Row, state: TaskState) -> bool:
    """Whether the statistics hold the row."""
    given_up = state.tip.given_up if state.tip else ()
    return _learned(row) and row.sequence not in state.set_apart and row.sequence not in given_up


def within_horizon(reread: Reread, config: HeadConfig) -> Reread:
    """What was read again without the records that have left the horizon."""
    inside = _inside([record.event_time for record, _ in reread.learned], config)
    learned = tuple(item for item, stays in zip(reread.learned, inside, strict=True) if stays)
    return replace(reread, learned=learned)


def clocks_again(times: Sequence[datetime], state: TaskState, config: HeadConfig) -> list[float]:
    """The clocks of learned records that were read again, oldest first; the newest counts fully."""
    return _spread(times, end=state.statistics.clock, config=config)


def _learned(row: Row) -> bool:
    return row.part == "learn" and row.weight > 0 and row.features is not None


def _clocks(brought: Sequence[Row], state: TaskState, config: HeadConfig) -> list[float]:
    times = [row.event_time for row in brought]
    end = state.statistics.clock
    if not brought:
        return []
    if config.half_life_records is not None:
        end += len(brought) / config.half_life_records
    if config.half_life_days is not None:
        newest = max(
            (row for row in state.journal if counts(row, state)),
            key=lambda row: row.event_time,
            default=None,
        )
        if newest is not None:
            passed = (max(times) - newest.event_time) / _DAY
            end = newest.clock + passed / config.half_life_days
    return _spread(times, end=end, config=config)


def _spread(times: Sequence[datetime], *, end: float, config: HeadConfig) -> list[float]:
    """Clocks up to `end`, by place in the order or by event time."""
    if config.half_life_records is not None:
        last = len(times) - 1
        return [end - (last - index) / config.half_life_records for index in range(len(times))]
    if config.half_life_days is not None:
        newest = max(times, default=None)
        return [end - (newest - time) / _DAY / config.half_life_days for time in times if newest]
    return [end] * len(times)


def _inside(times: Sequence[datetime], config: HeadConfig) -> list[bool]:
    """Which records, oldest first, lie within the horizon."""
    first = 0 if config.horizon_records is None else len(times) - config.horizon_records
    oldest = None
    if times and config.horizon_days is not None:
        oldest = max(times) - timedelta(days=config.horizon_days)
    return [
        index >= first and (oldest is None or time > oldest) for index, time in enumerate(times)
    ]
