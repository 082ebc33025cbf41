"""What a round leaves that did not come about: the lineage says why, nothing else changes."""

from collections.abc import Mapping, Sequence

from model.config import TaskConfig
from model.findings import Findings
from model.state import TaskState
from schemas.evaluation import Outcome, RecordCounts
from schemas.window import TrainingWindow


def failed_windows(
    state: TaskState,
    windows: Sequence[TrainingWindow],
    reason: str,
    config: TaskConfig,
    *,
    ends: Mapping[str, int] | None = None,
) -> Findings:
    """Windows that cannot be learned; their records count as skipped.

    `ends` is where the log ends, per `topic/partition`. A window that reaches behind it (the log
    lost its last records, or the window is no true one) accounts for nothing there: what will stand
    at these offsets is yet to be learned.
    """
    through = dict(state.tip.trained_through) if state.tip else {}
    for window in windows:
        place, end = window.span.place, window.span.end
        held = min(end, ends.get(place, end)) if ends is not None else end
        through[place] = max(through.get(place, 0), held)
    return Findings(
        kind="increment",
        outcome=Outcome.FAILED,
        reason=reason,
        config=config,
        windows=tuple(window.window_id for window in windows),
        spans=tuple(window.span for window in windows),
        counts=RecordCounts(skipped=sum(window.num_records for window in windows)),
        trained_through=through,
        last_appended_at=max(window.last_appended_at for window in windows),
    )


def failed_refresh(state: TaskState, reason: str, config: TaskConfig) -> Findings:
    """A refresh that did not come about, so that the next is due in its own time."""
    return Findings(
        kind="refresh",
        outcome=Outcome.FAILED,
        reason=reason,
        config=config,
        trained_through=dict(state.tip.trained_through) if state.tip else {},
    )
