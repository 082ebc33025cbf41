"""What a task remembers when one version takes over from another: the anchor, predecessors."""

from dataclasses import replace

from model.anchor import anchored
from model.config import TaskConfig
from model.evaluate import Judgement, learned_labels
from model.head import LinearHead
from model.lineage_entry import AnchorRef, ProbationRef, TrialRef
from model.monitor import Probation
from model.plan import Plan
from model.state import TaskState
from model.trial import Trial


def succeeded(
    before: TaskState, after: TaskState, judged: Judgement, config: TaskConfig
) -> TaskState:
    """The state after a promotion, with the anchor moved and the new version on probation.

    Args:
        before: with the champion of the round.
        after: with the promoted head, its encoder and its statistics.
        judged: what the gate looked at.
        config: of the task.
    """
    if after.head is None:
        msg = "a promoted state has no head"
        raise ValueError(msg)
    anchor, holdout = anchored(
        after.anchor,
        after.holdout,
        version=before.sequence,
        head=after.head,
        right=judged.candidate_right,
        known=learned_labels(after),
        same_encoder=after.encoder.digest == before.encoder.digest,
        config=config.gate,
    )
    probation = after.probation
    if probation is None and config.monitor.enabled:
        probation = _predecessor(before)
    return replace(after, anchor=anchor, holdout=holdout, probation=probation)


def _predecessor(before: TaskState) -> Probation | None:
    served = _served(before)
    if served is None:
        return None
    version, head = served
    return Probation(version, head, before.encoder)


def on_trial(before: TaskState, after: TaskState, plan: Plan, config: TaskConfig) -> Trial | None:
    """The trial that begins with a promoted refresh, or None where there is none.

    Args:
        before: with the champion that it replaces.
        after: with the promoted encoder and head.
        plan: that it was run with.
        config: of the task.
    """
    served = _served(before)
    if served is None or after.head is None or not holds_trials(config):
        return None
    version, head = served
    return Trial(version, before.sequence, before.encoder, head, after.head, plan)


def _served(state: TaskState) -> tuple[int, LinearHead] | None:
    """Sequence and head of what serves; None before a first version."""
    serving = state.tip.serving if state.tip else None
    return None if serving is None or state.head is None else (serving, state.head)


def holds_trials(config: TaskConfig) -> bool:
    """Whether an encoder may be taken back: the log has what was learned since.

    A trained head learns by fits alone, so that nothing would be left of it.
    """
    watched = config.monitor.enabled and config.monitor.trial
    return watched and config.refresh.read_log and config.head.form != "softmax"


def anchor_ref(state: TaskState) -> AnchorRef | None:
    """The anchor, as an entry names it."""
    held = state.anchor
    return AnchorRef(version=held.version, age=held.age) if held else None


def probation_ref(state: TaskState) -> ProbationRef | None:
    """The probation, as an entry names it."""
    held = state.probation
    if held is None:
        return None
    return ProbationRef(
        version=held.version, num_records=held.num_records, gains=held.gains, losses=held.losses
    )


def trial_ref(state: TaskState) -> TrialRef | None:
    """The trial, as an entry names it."""
    held = state.trial
    if held is None:
        return None
    return TrialRef(
        version=held.version,
        refreshed=held.refreshed,
        plan=held.plan,
        num_records=held.num_records,
        known=held.gain.records,
        wrong=held.gain.wrong,
        gained=held.gain.gained,
        lost=held.gain.lost,
    )
