"""What a fit may cost: fewer records are drawn where the budget is tighter than the plan."""

from model.config import TaskConfig
from model.plan import Plan


def planned(
    config: TaskConfig, plan: Plan, *, records_seen: int, error: float | None
) -> TaskConfig:
    """The configuration that a refresh runs with: with its plan, and within the budget.

    Args:
        config: of the task.
        plan: of its next refresh.
        records_seen: of the task, learned or held out.
        error: of the champion, as far as it is known; see `left`.
    """
    applied = plan.applied(config)
    least = applied.refresh.least_records * applied.fit.epochs
    allowed = left(applied, plan, records_seen=records_seen, error=error)
    bounds = [] if allowed is None else [max(allowed, least)]
    if applied.refresh.budget_sample_steps is not None:
        bounds.append(applied.refresh.budget_sample_steps)
    if applied.refresh.budget_seconds is not None and plan.fit_speed is not None:
        bounds.append(applied.refresh.budget_seconds * plan.fit_speed)
    return drawing(applied, min(bounds)) if bounds else applied


def left(config: TaskConfig, plan: Plan, *, records_seen: int, error: float | None) -> float | None:
    """Sample-steps that the next fit may take, or None for no bound.

    All fits together keep to a share of what training on every record seen would take, for as many
    epochs. Where the champion errs much there is much to gain, and the share is large until a fit
    has been rejected; where it errs little, a fit must first have paid. The first fit may take
    `newest_records` in all, whatever it costs. A head that learns by fits alone is not bounded.

    Args:
        config: of the task, with the plan applied.
        plan: of its next refresh.
        records_seen: of the task, learned or held out.
        error: share of held-out records of known labels that the champion surely has wrong, or None
            where too few are at hand.
    """
    limits, epochs = config.feedback, config.fit.epochs
    if not limits.enabled or config.head.form == "softmax":
        return None
    promising = error is not None and error >= limits.promising_error
    lavish = promising and not plan.rejected_in_a_row
    share = plan.compute_share or (limits.paying_compute_share if lavish else limits.compute_share)
    rest = share * epochs * records_seen - plan.spent_sample_steps
    first = epochs * config.refresh.newest_records
    return rest if plan.spent_sample_steps else max(rest, first)


def drawing(config: TaskConfig, most_steps: float) -> TaskConfig:
    """The configuration whose draw takes at most so many sample-steps.

    New and replayed records keep their shares; at least one new record is drawn.
    """
    newest = int(most_steps / config.fit.epochs * (1.0 - config.refresh.replay_share))
    if newest >= config.refresh.newest_records:
        return config
    refresh = config.refresh.model_copy(update={"newest_records": max(1, newest)})
    return config.model_copy(update={"refresh": refresh})
