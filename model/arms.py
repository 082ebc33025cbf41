"""The arms of a contest: plans that differ in one thing, and what a fit under one earns."""

from model.config import FeedbackConfig, TaskConfig
from model.plan import Plan

PLANNED = "planned"


def arms_of(plan: Plan, config: TaskConfig, *, layers: int) -> dict[str, Plan]:
    """The plans at hand, by name, within the bounds of feedback; those that change nothing are out.

    Args:
        plan: of the refresh.
        config: of the task.
        layers: of the encoder.
    """
    limits, now = config.feedback, plan.applied(config)
    share, frozen = now.refresh.replay_share, now.fit.frozen_layers
    slower = max(limits.min_learning_rate_scale, plan.learning_rate_scale / 2)
    changes: dict[str, dict[str, float]] = {
        "half_learning_rate": {"learning_rate_scale": min(plan.learning_rate_scale, slower)},
        "more_replay": {"replay_share": max(share, min(share + 0.2, limits.max_replay_share))},
        "frozen_half": {"frozen_layers": max(frozen, min(layers // 2, limits.max_frozen_layers))},
    }
    if config.method == "finetune":  # it replays nothing
        del changes["more_replay"]
    arms = {name: plan.model_copy(update=change) for name, change in changes.items()}
    other = {name: arm for name, arm in arms.items() if arm.applied(config) != now}
    return {PLANNED: plan, **other}


def reward(
    *, before: float, after: float, steps: float, budget: float, limits: FeedbackConfig
) -> float:
    """What a fit earns, in [0, 1]: its gain a sample-step, 1/2 where nothing was gained.

    The gain is the share of the log loss before that is gone, stretched to the arm's budget: a
    fit that stopped half-way earned it at half the price. `feedback.bandit_range` gained in that
    measure is 1, the same lost is 0, and what lies between is linear; what lies beyond is cut off.

    Args:
        before: log loss on selection records where the fit starts, in nats a record.
        after: the same of the fit; infinite where it diverged.
        steps: sample-steps that the fit took.
        budget: sample-steps that it might have taken.
        limits: the range.
    """
    if not steps or before <= 0:
        return 0.0
    gain = (before - after) / before * (budget / steps)
    return min(1.0, max(0.0, 0.5 + gain / (2 * limits.bandit_range)))
