"""When the encoder is refreshed: every trigger is one function that says why, or nothing."""

from collections.abc import Callable

from model.config import RefreshConfig, TaskConfig
from model.lineage import LineageEntry
from model.plan import Plan
from model.state import TaskState

Trigger = Callable[[TaskState, TaskConfig], str | None]


def refresh_due(state: TaskState, config: TaskConfig) -> str | None:
    """Why the encoder should be refreshed now, or None; the first trigger that holds says it."""
    if not config.refresh.enabled or state.tip is None:
        return None
    return next((why for trigger in TRIGGERS if (why := trigger(state, config))), None)


def plan_after(tip: LineageEntry | None) -> Plan:
    """The plan that holds after an entry; entries of earlier versions have none."""
    if tip is None:
        return Plan()
    return tip.plan or Plan(promoted_refreshes=0 if tip.refreshed_at is None else 1)


def _first(state: TaskState, config: TaskConfig) -> str | None:
    """No refresh yet, and enough records of at least two labels.

    Also where nothing serves: an encoder of its own may be what the first version needs.
    """
    if state.tip is None or state.tip.refreshed_at is not None:
        return None
    if state.records_seen < config.refresh.first_after_records:
        return None
    if not _enough_labels(state, config.refresh):
        return None
    return f"no encoder of its own after {state.records_seen} records"


def _trained_head(state: TaskState, config: TaskConfig) -> str | None:
    """A softmax head learns by fits alone: after every round that brought records.

    It needs learned records of two labels, and no first version: the fit makes that too.
    """
    tip = state.tip
    if config.head.form != "softmax" or tip is None or tip.kind != "increment":
        return None
    two_labels = (state.statistics.counts > 0).sum() >= 2
    learned = tip.evaluation.counts.learned
    return "softmax head learns by refresh" if two_labels and learned else None


def _enough_labels(state: TaskState, config: RefreshConfig) -> bool:
    """Whether two labels have been seen often enough, also in rounds that were rejected."""
    counts: dict[str, float] = dict(
        zip(state.labels, state.statistics.counts.tolist(), strict=False)
    )
    for rows in state.set_apart.values():
        for row in rows:
            if row.part == "learn" and row.weight > 0:
                counts[row.label] = counts.get(row.label, 0.0) + row.weight
    return sum(count >= config.min_records_per_label for count in counts.values()) >= 2


def _interval(state: TaskState, config: TaskConfig) -> str | None:
    """So many records after the last refresh, times what feedback has made of it."""
    if state.tip is None or state.tip.refreshed_at is None:
        return None
    times = plan_after(state.tip).refresh_interval
    since = state.records_seen - state.tip.refreshed_at
    if since < config.refresh.every_records * times:
        return None
    stretch = "" if times == 1 else f" (interval times {times:.2g})"
    return f"{since} records since the last refresh{stretch}"


TRIGGERS: tuple[Trigger, ...] = (_trained_head, _first, _interval)
