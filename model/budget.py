"""What a fit may cost: fewer records are drawn where the budget is tighter than the plan."""

from model.config import TaskConfig
from model.plan import Plan


def planned(config: TaskConfig, plan: Plan) -> TaskConfig:
    """The configuration that a refresh runs with: with its plan, and within the budget."""
    return within_budget(plan.applied(config), speed=plan.fit_speed)


def within_budget(config: TaskConfig, *, speed: float | None) -> TaskConfig:
    """The configuration whose draw keeps to `refresh.budget_sample_steps` and `budget_seconds`.

    New and replayed records keep their shares; at least one new record is drawn.

    Args:
        config: of the task, with its plan applied.
        speed: sample-steps a second of the last fit; None leaves the seconds out.
    """
    most = _most_steps(config, speed)
    if most is None:
        return config
    newest = int(most / config.fit.epochs * (1.0 - config.refresh.replay_share))
    if newest >= config.refresh.newest_records:
        return config
    refresh = config.refresh.model_copy(update={"newest_records": max(1, newest)})
    return config.model_copy(update={"refresh": refresh})


def _most_steps(config: TaskConfig, speed: float | None) -> float | None:
    refresh = config.refresh
    bounds: list[float] = []
    if refresh.budget_sample_steps is not None:
        bounds.append(refresh.budget_sample_steps)
    if refresh.budget_seconds is not None and speed is not None:
        bounds.append(refresh.budget_seconds * speed)
    return min(bounds, default=None)
