"""Feedback: what came of a refresh changes the plan of the next one, with the reason beside it.

Decisions alone: a plan, an outcome and limits go in, a plan comes out. Every rule is one function
that looks at the evidence on the selection records and proposes at most one change.

A fit costs as much as hundreds of increments, and the solved head learns without it. So the burden
of proof is on the refresh: what it gained must be beyond chance, or the next one waits longer.
"""

from collections.abc import Callable
from dataclasses import dataclass

from model.config import FeedbackConfig, TaskConfig
from model.gain import NOTHING, Gain
from model.plan import Adjustment, Plan
from model.trial import Verdict
from schemas.evaluation import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshOutcome:
    """What is known of a refresh when it has ended."""

    outcome: Outcome
    reason: str
    new: Gain
    old: Gain = NOTHING
    sample_steps: float = 0.0
    """Of its fit."""
    seconds: float = 0.0
    """Of its fit."""

    @property
    def gain(self) -> Gain:
        """On new and old selection records together."""
        return self.new + self.old

    @property
    def promoted(self) -> bool:
        """Whether it brought a version."""
        return self.outcome is Outcome.PROMOTED

    @property
    def told(self) -> str:
        """The outcome in words."""
        return self.outcome.value.replace("_", " ")

    @property
    def lost(self) -> bool:
        """Whether the gate rejected it, or its trial."""
        return self.outcome in {Outcome.REJECTED, Outcome.ROLLED_BACK}


Rule = Callable[[Plan, RefreshOutcome, TaskConfig], Adjustment | None]


def next_plan(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Plan:
    """The plan after a refresh.

    Args:
        plan: the one that the refresh was run with.
        seen: what came of it.
        config: what the plan changes, and the limits of the changes.
    """
    after = plan.model_copy(update={"changes": ()})
    if config.feedback.enabled:
        for rule in RULES:
            change = rule(after, seen, config)
            if change is not None and change.after != change.before:
                after = after.adjusted(change)
    measured = seen.sample_steps > 0 and seen.seconds > 0
    return after.model_copy(
        update={
            "fit_speed": seen.sample_steps / seen.seconds if measured else plan.fit_speed,
            "spent_sample_steps": plan.spent_sample_steps + seen.sample_steps,
            "promoted_refreshes": plan.promoted_refreshes + seen.promoted,
            "rejected_in_a_row": 0 if seen.promoted else plan.rejected_in_a_row + 1,
        }
    )


def after_trial(plan: Plan, tried: Verdict, config: TaskConfig) -> Plan:
    """The plan at the end of a refreshed encoder's trial, which says more than its gate could.

    Nothing chose on those records, and they are many. A refresh whose encoder must go counts as one
    that was rejected by the gate: the plan goes on from the one that it was run with. The encoder
    that stays frees the budget of the next fit where it surely paid, and where its gain may be
    chance it takes back what the gate had freed. A trial that told nothing changes nothing.

    Args:
        plan: the one that holds.
        tried: how the trial ended.
        config: what the plan changes, and the limits of the changes.
    """
    gain, limits = tried.gain, config.feedback
    if tried.fault is not None:
        kept = {name: getattr(plan, name) for name in ("spent_sample_steps", "fit_speed", "bandit")}
        lost = RefreshOutcome(outcome=Outcome.ROLLED_BACK, reason=tried.fault, new=gain)
        return next_plan(tried.fitted_with.model_copy(update=kept), lost, config)
    paid = _sure(gain) and pays(gain, limits)
    if not limits.enabled or not gain.records or (gain.proven and not paid):
        return plan
    change = Adjustment(
        field="compute_share",
        before=plan.compute_share,
        after=limits.paying_compute_share if paid else None,
        reason=f"the refresh {'paid' if paid else 'gained too little to tell'} on trial ({gain})",
    )
    return plan if change.after == change.before else plan.adjusted(change)


def pays(gain: Gain, limits: FeedbackConfig) -> bool:
    """Whether a gain is worth a fit: beyond chance, and a fair share of what was left to gain."""
    return gain.proven and gain.share >= limits.small_gain


def interval(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """When the next refresh is due.

    One that brought no version doubles it. One that paid halves it towards the configured one, and
    below that only where the gain is beyond two standard errors. What gained too little to tell
    leaves it alone: then the budget spaces the fits. Drift sets it back (`model.drift`): what was
    measured before does not hold after it.
    """
    limits, now = config.feedback, plan.refresh_interval
    if not seen.promoted:
        return _interval(plan, now * 2, f"the refresh was {seen.told}", limits)
    if not pays(seen.gain, limits):
        return None
    lowest = limits.min_refresh_interval if _sure(seen.gain) else min(now, 1.0)
    why = f"the refresh paid on selection records ({seen.gain})"
    return _interval(plan, max(lowest, now / 2), why, limits)


def compute_share(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """What fits may cost: much while they pay, little else.

    The first own encoder must gain more than two standard errors: the step from a general encoder
    to one of the task's own is made once and says little of the next.
    """
    first = not plan.promoted_refreshes
    paid = seen.promoted and (_sure(seen.gain) if first else pays(seen.gain, config.feedback))
    verb = "paid" if paid else "gained too little to tell"
    return Adjustment(
        field="compute_share",
        before=plan.compute_share,
        after=config.feedback.paying_compute_share if paid else None,
        reason=f"the refresh {verb} on selection records ({seen.gain})",
    )


def _sure(gain: Gain) -> bool:
    return gain.net > 2 * gain.error


def _interval(plan: Plan, wanted: float, why: str, limits: FeedbackConfig) -> Adjustment:
    bounded = min(max(wanted, limits.min_refresh_interval), limits.max_refresh_interval)
    return Adjustment(
        field="refresh_interval", before=plan.refresh_interval, after=bounded, reason=why
    )


def learning_rate(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """Smaller steps after a fit that lost or diverged; larger ones again when one pays."""
    now, limits = plan.learning_rate_scale, config.feedback
    diverged = seen.outcome is Outcome.FAILED and "NotFiniteError" in seen.reason
    if seen.lost or diverged:
        after = max(now / 2, limits.min_learning_rate_scale)
        why = f"the refresh {'diverged' if diverged else f'was {seen.told} ({seen.gain})'}"
    elif seen.promoted and pays(seen.gain, limits):
        after, why = min(now * 2, 1.0), f"the refresh paid ({seen.gain})"
    else:
        return None
    return Adjustment(field="learning_rate_scale", before=now, after=after, reason=why)


def frozen_layers(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """One more of the lowest layers stays as it is from the second rejection in a row on.

    They hold what all tasks share, and hence what is forgotten when they move; a refresh that pays
    frees one again.
    """
    configured = config.fit.frozen_layers
    now = configured if plan.frozen_layers is None else plan.frozen_layers
    if seen.lost and plan.rejected_in_a_row >= 1:
        after = max(now, min(now + 1, config.feedback.max_frozen_layers))
        why = f"{plan.rejected_in_a_row + 1} refreshes in a row brought no version"
    elif now > configured and seen.promoted and pays(seen.gain, config.feedback):
        after, why = now - 1, f"the refresh paid ({seen.gain})"
    else:
        return None
    return Adjustment(field="frozen_layers", before=plan.frozen_layers, after=after, reason=why)


def replay_share(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """More old records where the fit forgot, fewer where it learned only what it knew."""
    limits = config.feedback
    now = config.refresh.replay_share if plan.replay_share is None else plan.replay_share
    if _forgot(seen):
        after = max(now, min(now + 0.1, limits.max_replay_share))
    elif _stuck(seen):
        after = min(now, max(now - 0.1, limits.min_replay_share))
    else:
        return None
    if after == now:
        return None
    return Adjustment(
        field="replay_share", before=plan.replay_share, after=round(after, 3), reason=_sides(seen)
    )


def replay_horizon(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """Older records from less far back where a fit with them lost new answers beyond chance.

    What lies far back may say otherwise by now. A fit that forgot lets them lie further back again,
    in the end without a horizon.
    """
    limits, now, after = config.feedback, plan.replay_horizon, plan.replay_horizon
    share = config.refresh.replay_share if plan.replay_share is None else plan.replay_share
    if config.method == "finetune" or not share:
        return None
    configured = config.refresh.replay_horizon_records
    longest = limits.max_replay_horizon
    if configured is not None:
        longest = min(longest, configured / config.refresh.newest_records)
    if seen.new.lossy and seen.old.records and seen.old.net >= 0:
        shorter = now / 2 if now is not None else longest if configured is None else longest / 2
        after = max(shorter, min(limits.min_replay_horizon, longest))
    elif now is not None and _forgot(seen):
        after = None if now * 2 > longest else now * 2
    return Adjustment(field="replay_horizon", before=now, after=after, reason=_sides(seen))


def distillation_weight(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """More weight on the champion's answers where the fit forgot, less where it learned nothing."""
    held = config.methods.distillation
    now = plan.distillation_weight
    if now is None and held is not None:
        now = held.weight
    if _forgot(seen):
        after = min(0.5 if not now else now * 2, config.feedback.max_distillation_weight)
    elif now and _stuck(seen):
        after = now / 2 if now > 0.25 else 0.0
    else:
        return None
    return Adjustment(
        field="distillation_weight",
        before=plan.distillation_weight,
        after=after,
        reason=_sides(seen),
    )


def epochs(plan: Plan, seen: RefreshOutcome, config: TaskConfig) -> Adjustment | None:
    """One less where a rejected fit lost on new and old alike, one more again when one pays.

    A loss on both is what overfitting looks like. Never more than configured: epochs are the cost.
    """
    now = plan.epochs or config.fit.epochs
    if seen.lost and seen.new.net < 0 and seen.old.net < 0:
        after = max(1, now - 1)
    elif seen.promoted and pays(seen.gain, config.feedback):
        after = min(config.fit.epochs, now + 1)
    else:
        return None
    if after == now:
        return None
    return Adjustment(field="epochs", before=plan.epochs, after=after, reason=_sides(seen))


def _forgot(seen: RefreshOutcome) -> bool:
    """Lost old answers beyond chance while it gained new ones."""
    return seen.old.lossy and seen.new.net > 0


def _stuck(seen: RefreshOutcome) -> bool:
    """Gained old answers beyond chance and no new ones."""
    return seen.old.proven and seen.new.records > 0 and seen.new.net <= 0


def _sides(seen: RefreshOutcome) -> str:
    return f"{seen.outcome.value}; new: {seen.new}; old: {seen.old}"


RULES: tuple[Rule, ...] = (
    interval,
    compute_share,
    learning_rate,
    frozen_layers,
    replay_share,
    replay_horizon,
    distillation_weight,
    epochs,
)
