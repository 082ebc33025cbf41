"""Which plan a comparison speaks for, in a few sentences, and where it speaks for none."""

from collections.abc import Sequence

from model.backtest.report import BacktestReport, PlanReport


def advice(report: BacktestReport) -> str:
    """Which plan to take: the cheapest of those that are as good as the best.

    As good means within two standard errors of the paired difference on the test records; cheap
    means few sample-steps. Seconds do not choose: between plans that do the same they are noise.
    """
    plans = report.plans
    if all(_never_served(plan) for plan in plans.values()):
        return _nothing_to_choose(next(iter(plans.values())))
    best = max(plans, key=lambda name: plans[name].average_accuracy)
    equals = [name for name in plans if not _told_apart(plans[name], plans[best])]
    chosen = min(equals, key=lambda name: (plans[name].sample_steps, -plans[name].average_accuracy))
    alike = [name for name in plans if _did_the_same(plans[name], plans[chosen])]
    said = [f"{_choice(plans, best=best, chosen=chosen, equals=equals, alike=alike)}."]
    said += _untried(report, alike)
    if report.joint is not None:
        who = f"{_listed(alike)} {'is' if len(alike) == 1 else 'are'}"
        said.append(f"{who} {_from_joint(plans[chosen], report.joint)}.")
    return " ".join(said)


def _never_served(plan: PlanReport) -> bool:
    return not any(map(any, plan.accuracy_matrix)) and set(plan.prequential) <= {None}


def _nothing_to_choose(plan: PlanReport) -> str:
    last = plan.windows[-1]
    why = f" ({last.rounds[-1].reason})" if last.rounds else ""
    return f"No version was promoted on these {last.records:,} records{why}: give more of them."


def _choice(
    plans: dict[str, PlanReport],
    *,
    best: str,
    chosen: str,
    equals: Sequence[str],
    alike: Sequence[str],
) -> str:
    held, accuracy = plans[chosen], f"{plans[chosen].average_accuracy:.3f}"
    if len(plans) == 1:
        return f"{chosen} reaches {accuracy}; name more plans after --compare to choose from"
    same = f"right on the same test records with {held.sample_steps:,} sample-steps each"
    if len(alike) == len(plans):
        return f"{_listed(alike)} did the same here: {same}"
    if held.sample_steps < plans[best].sample_steps:
        said = (
            f"take {chosen}: {best} has {plans[best].average_accuracy:.3f} against {accuracy}, "
            f"which these test sets cannot tell apart, and takes {plans[best].sample_steps:,} "
            f"sample-steps against {held.sample_steps:,}"
        )
    else:
        said = f"take {chosen}: no plan is better, and of equals none takes fewer sample-steps"
    if len(alike) > 1:
        said += f"; {_listed(alike)} did the same here: {same}"
    close = [name for name in equals if name not in alike and _as_cheap(plans[name], held)]
    if close:
        said += f"; these test sets cannot tell it from {_listed(close)}, at as many sample-steps"
    return said


def _untried(report: BacktestReport, alike: Sequence[str]) -> list[str]:
    """A sentence where plans that refresh had none to show, and what that leaves of the choice."""
    idle = [name for name, plan in report.plans.items() if _never_refreshed(plan)]
    if not idle:
        return []
    records = report.plans[idle[0]].windows[-1].records
    after = {report.plans[name].config["refresh"]["first_after_records"] for name in idle}
    of = "" if len(idle) == len(report.plans) else f" of {_listed(idle)}"
    limits = _listed([f"{each:,}" for each in sorted(after)])
    why = (
        f"refresh.first_after_records is {limits}"
        if min(after) > records
        else "the first waits for refresh.min_records_per_label, and for new labels to end"
    )
    said = f"No refresh{of} came on these {records:,} records ({why})"
    spent = any(plan.sample_steps for plan in report.plans.values())
    if len(report.plans) > 1 and len(alike) == len(report.plans) and not spent:
        return [f"{said}, so that the choice between these plans means nothing."]
    return [f"{said}: what a plan does in one was not tried."]


def _from_joint(plan: PlanReport, joint: PlanReport) -> str:
    short = 100 * (joint.average_accuracy - plan.average_accuracy)
    points = f"{abs(short):.1f}"
    if points == "0.0":
        return "as good as training on everything at once"
    said = f"{points} points {'short of' if short > 0 else 'above'} training on everything at once"
    apart = _told_apart(plan, joint)
    return said if apart else f"{said}, which these test sets cannot tell apart"


def _told_apart(one: PlanReport, other: PlanReport) -> bool:
    """Slices weigh the same, as in the average accuracy, so their variances add up over K squared.

    The variance of a slice is that of the mean of paired differences of its test records.
    """
    variance: float = 0.0
    for ours, theirs in zip(one.test_right, other.test_right, strict=True):
        pairs = [int(a) - int(b) for a, b in zip(theirs, ours, strict=True)]
        mean = sum(pairs) / len(pairs)
        variance += sum((pair - mean) ** 2 for pair in pairs) / len(pairs) ** 2
    error = variance**0.5 / len(one.test_right)
    return bool(abs(other.average_accuracy - one.average_accuracy) > 2 * error)


def _did_the_same(one: PlanReport, other: PlanReport) -> bool:
    return one.test_right == other.test_right and _as_cheap(one, other)


def _as_cheap(one: PlanReport, other: PlanReport) -> bool:
    return one.sample_steps == other.sample_steps


def _never_refreshed(plan: PlanReport) -> bool:
    """Whether a plan that refreshes its encoder was never asked to."""
    asked = any(each.kind == "refresh" for window in plan.windows for each in window.rounds)
    return bool(plan.config["refresh"]["enabled"]) and not asked and not plan.sample_steps


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
