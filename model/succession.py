"""What a task remembers when one version takes over from another: the anchor and a predecessor."""

from dataclasses import replace

from model.anchor import anchored
from model.config import TaskConfig
from model.evaluate import Judgement, learned_labels
from model.lineage import AnchorRef, ProbationRef
from model.monitor import Probation
from model.state import TaskState


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
    trial = _on_trial(before, after, config)
    if config.monitor.enabled and (trial or probation is None):
        probation = _predecessor(before, trial=trial)
    return replace(after, anchor=anchor, holdout=holdout, probation=probation)


def _on_trial(before: TaskState, after: TaskState, config: TaskConfig) -> bool:
    """Whether an encoder took over that can be taken back with nothing lost but its fit."""
    solved = config.head.form != "softmax"
    renewed = after.encoder.digest != before.encoder.digest
    return renewed and solved and config.monitor.trial and config.refresh.read_log


def _predecessor(before: TaskState, *, trial: bool) -> Probation | None:
    serving = before.tip.serving if before.tip else None
    if before.head is None or serving is None:
        return None
    return Probation(serving, before.head, before.encoder, trial=trial)


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
        version=held.version,
        num_records=held.num_records,
        gains=held.gains,
        losses=held.losses,
        trial=held.trial,
        known=held.known,
    )
