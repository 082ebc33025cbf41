"""When the encoder is refreshed: every trigger is one function that says why, or nothing."""

from collections.abc import Callable
from datetime import datetime

from model.budget import left
from model.config import RefreshConfig, TaskConfig
from model.lineage_entry import LineageEntry
from model.plan import Plan
from model.selection import selection_error
from model.state import TaskState

Trigger = Callable[[TaskState, LineageEntry, TaskConfig, datetime], str | None]


def refresh_due(state: TaskState, config: TaskConfig, *, now: datetime) -> str | None:
    """Why the encoder should be refreshed now, or None; the first trigger that holds says it."""
    tip = state.tip
    if not config.refresh.enabled or tip is None:
        return None
    return next((why for holds in TRIGGERS if (why := holds(state, tip, config, now))), None)


def can_refresh(state: TaskState) -> bool:
    """Whether there is anything to fit on: records, of two labels at least."""
    return state.tip is not None and len(state.labels) >= 2


def plan_after(tip: LineageEntry | None) -> Plan:
    """The plan that holds after an entry; entries of earlier versions have none."""
    if tip is None:
        return Plan()
    return tip.plan or Plan(promoted_refreshes=0 if tip.refreshed_at is None else 1)


def _first(state: TaskState, tip: LineageEntry, config: TaskConfig, _now: datetime) -> str | None:
    """No refresh yet, and enough records of at least two labels.

    Also where nothing serves: an encoder of its own may be what the first version needs. While
    labels still come it waits, for as many records again at most: it would be fitted without them,
    and the budget seldom leaves as much for a second fit.
    """
    wanted, seen = config.refresh.first_after_records, state.records_seen
    if tip.refreshed_at is not None or seen < wanted or not _enough_labels(state, config.refresh):
        return None
    if seen < 2 * wanted and _labels_still_come(state):
        return None
    return f"no encoder of its own after {seen} records"


def _labels_still_come(state: TaskState) -> bool:
    """Whether the newest round with records had a label that no round before it had."""
    newest = max((row.sequence for row in state.journal), default=0)
    before = {row.label for row in state.journal if row.sequence < newest}
    return bool(before) and any(row.label not in before for row in state.journal)


def _enough_labels(state: TaskState, config: RefreshConfig) -> bool:
    """Whether two labels have been seen often enough, also in rounds that were rejected."""
    learned: list[float] = state.statistics.counts.tolist()
    counts = dict(zip(state.labels, learned, strict=False))
    for rows in state.set_apart.values():
        for row in rows:
            if row.part == "learn" and row.weight > 0:
                counts[row.label] = counts.get(row.label, 0.0) + row.weight
    return sum(count >= config.min_records_per_label for count in counts.values()) >= 2


def _interval(
    state: TaskState, tip: LineageEntry, config: TaskConfig, _now: datetime
) -> str | None:
    """So many records after the last refresh, times what feedback has made of it.

    Not while the last one is on trial, while the budget is too small for a fit, nor while a drift
    waits for records of its regime: a refresh too early learns too few of them.
    """
    if tip.refreshed_at is None or tip.trial is not None or _unsettled(tip, config):
        return None
    plan, since = plan_after(tip), state.records_seen - tip.refreshed_at
    if since < config.refresh.every_records * plan.refresh_interval:
        return None
    applied = plan.applied(config)
    allowed = left(
        applied, plan, records_seen=state.records_seen, error=selection_error(state, config)
    )
    if allowed is not None and allowed < applied.refresh.least_records * applied.fit.epochs:
        return None
    told = [change.reason for change in plan.changes if change.field == "refresh_interval"]
    why = f": {told[-1]}" if told else ""
    stretch = plan.refresh_interval
    by = "" if stretch == 1 else f" ({stretch:.2g} times the configured interval{why})"
    return f"{since} records since the last refresh{by}"


def _drift(state: TaskState, tip: LineageEntry, config: TaskConfig, _now: datetime) -> str | None:
    """A drift since the last refresh, and as many records of the new regime as a refresh wants."""
    if tip.drifted_at is None or not _unsettled(tip, config):
        return None
    since = state.records_seen - tip.drifted_at
    if since < _wanted(tip, config):
        return None
    return f"drift: {since} records since the champion began to err more"


def _unsettled(tip: LineageEntry, config: TaskConfig) -> bool:
    """Whether there was a drift that no refresh has seen enough records of."""
    if tip.drifted_at is None or tip.refreshed_at is None:
        return False
    return tip.refreshed_at < tip.drifted_at + _wanted(tip, config)


def _wanted(tip: LineageEntry, config: TaskConfig) -> int:
    """Records after a drift from which the newest that a refresh draws are of the new regime."""
    learned = 1.0 - tip.holdout_config.share
    return config.drift.min_records or round(config.refresh.newest_records / learned)


def _schedule(state: TaskState, tip: LineageEntry, config: TaskConfig, now: datetime) -> str | None:
    """So long after the last refresh, where anything came since; not while that is on trial."""
    every, last = config.refresh.schedule_seconds, tip.refreshed_on
    if every is None or last is None or tip.trial is not None:
        return None
    if state.records_seen == tip.refreshed_at:
        return None
    passed = (now - last).total_seconds()
    return f"{passed:.0f} s since the last refresh, as scheduled" if passed >= every else None


def _trained_head(
    state: TaskState, tip: LineageEntry, config: TaskConfig, _now: datetime
) -> str | None:
    """A softmax head learns by fits alone: after every round that brought records.

    It needs learned records of two labels, and no first version: the fit makes that too.
    """
    if config.head.form != "softmax" or tip.kind != "increment":
        return None
    two_labels = (state.statistics.counts > 0).sum() >= 2
    learned = tip.evaluation.counts.learned
    return "softmax head learns by refresh" if two_labels and learned else None


TRIGGERS: tuple[Trigger, ...] = (_trained_head, _first, _drift, _interval, _schedule)
