"""What a round leaves for the next one: its plan, and what is known of drift."""

from typing import Any

from model.drift import Change, after_drift
from model.due import plan_after
from model.feedback import RefreshOutcome, after_trial, next_plan
from model.findings import Findings
from model.plan import Plan
from model.state import TaskState
from schemas.evaluation import Drift


def plan_for_next(before: TaskState, findings: Findings) -> Plan | None:
    """The plan of the next refresh: the outcome of one changes it, its trial, and drift."""
    if findings.kind != "refresh":
        return _without_fit(before, findings)
    seen = RefreshOutcome(
        outcome=findings.outcome,
        reason=findings.reason,
        new=findings.gain_new,
        old=findings.gain_old,
        sample_steps=findings.metrics.get("fit_sample_steps", 0.0),
        seconds=findings.metrics.get("fit_seconds", 0.0),
    )
    plan = plan_after(before.tip)
    if findings.bandit is not None:
        plan = plan.model_copy(update={"bandit": findings.bandit})
    return next_plan(plan, seen, findings.config)


def _without_fit(before: TaskState, findings: Findings) -> Plan | None:
    """The plan as it is, but for the end of a trial and for drift."""
    plan, config = before.tip.plan if before.tip else None, findings.config
    if findings.trial is not None:
        plan = after_trial(plan_after(before.tip), findings.trial, config)
    if findings.drift is not None:
        plan = after_drift(plan or plan_after(before.tip), findings.drift, config.feedback)
    return plan


def regime(before: TaskState, findings: Findings) -> dict[str, Any]:
    """What the entry says of drift."""
    tip, drift = before.tip, findings.drift
    if findings.trial is not None and findings.trial.fault is not None and findings.restored:
        tip = findings.restored  # what erred more since may have been the encoder that goes
    horizon = tip.horizon_from if tip else 0
    return {
        "watch": findings.watch or (tip.watch if tip else None),
        "drifted_at": drift.seen if drift else (tip.drifted_at if tip else None),
        "horizon_from": drift.sequence if drift and findings.config.drift.forget else horizon,
    }


def drift_event(change: Change | None) -> Drift | None:
    """The drift as the event of the round has it."""
    if change is None:
        return None
    return Drift(
        since_record=change.seen,
        answers=change.answers,
        error_before=change.before,
        error_after=change.after,
    )
