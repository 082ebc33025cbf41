"""When the encoder is refreshed."""

from model.config import RefreshConfig, TaskConfig
from model.state import TaskState


def refresh_due(state: TaskState, config: RefreshConfig) -> str | None:
    """Why the encoder should be refreshed now, or None."""
    if not config.enabled or state.tip is None or state.tip.serving is None:
        return None
    if state.tip.refreshed_at is not None:
        since = state.records_seen - state.tip.refreshed_at
        return f"{since} records since the last refresh" if since >= config.every_records else None
    enough = (state.statistics.counts >= config.min_records_per_label).sum()
    if state.records_seen < config.first_after_records or enough < 2:
        return None
    return f"no encoder of its own after {state.records_seen} records"


def trained_head_due(state: TaskState, config: TaskConfig) -> str | None:
    """Why a softmax head should be trained now, or None: after every round that brought records.

    It needs learned records of two labels, and no first version: the fit makes that too.
    """
    tip = state.tip
    if tip is None or tip.kind != "increment" or not tip.evaluation.counts.learned:
        return None
    two_labels = (state.statistics.counts > 0).sum() >= 2
    return "softmax head learns by refresh" if two_labels and config.refresh.enabled else None
