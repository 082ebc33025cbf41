"""The table that a person chooses a plan from, and the choice that it suggests."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from model.backtest.report import BacktestReport, PlanReport

JOINT = "joint"


def comparison(report: BacktestReport) -> Table:
    """One line a plan: what it reached, what it forgot, what it cost."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("plan")
    for name in ("average\naccuracy", "forgetting", "prequential", "seconds", "s/window"):
        table.add_column(name, justify="right")
    for name in ("sample-\nsteps", "forward\npasses", "peak\nMiB"):
        table.add_column(name, justify="right")
    for name, plan in report.plans.items():
        table.add_row(name, *_cells(plan))
    if report.joint is not None:
        table.add_section()
        table.add_row(JOINT, *_cells(report.joint))
    return table


def by_slice(report: BacktestReport) -> Table:
    """The last row of each plan's accuracy matrix: where it is good, where it is not."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("slice")
    table.add_column("learned", justify="right")
    table.add_column("tested", justify="right")
    plans = _all_plans(report)
    for name in plans:
        table.add_column(name, justify="right")
    for index, held in enumerate(report.slices):
        accuracies = [f"{plan.accuracy_matrix[-1][index]:.3f}" for plan in plans.values()]
        table.add_row(held.name, f"{held.train_records}", f"{held.test_records}", *accuracies)
    return table


def advice(report: BacktestReport) -> str:
    """Which plan to take, in one sentence: the cheapest of those that are as good as the best.

    As good means within two standard errors of the paired difference on the test records.
    """
    best = max(report.plans, key=lambda name: report.plans[name].average_accuracy)
    equals = [name for name in report.plans if _as_good(report.plans[name], report.plans[best])]
    chosen = min(equals, key=lambda name: report.plans[name].seconds)
    accuracy = report.plans[chosen].average_accuracy
    if len(report.plans) == 1:
        said = f"{chosen} reaches {accuracy:.3f}; name more plans after --compare to choose from"
    elif chosen == best:
        said = f"take {chosen}: no plan is better, and of equals it is the cheapest"
    else:
        said = (
            f"take {chosen}: {best} has {report.plans[best].average_accuracy:.3f} against "
            f"{accuracy:.3f}, which these test sets cannot tell apart, and takes longer"
        )
    if report.joint is None:
        return f"{said}."
    short = 100 * (report.joint.average_accuracy - accuracy)
    points = f"{abs(short):.1f}"
    away = "short of" if short > 0 else "above"
    distance = "as good as" if points == "0.0" else f"{points} points {away}"
    return f"{said}. It is {distance} training on everything at once."


def _as_good(plan: PlanReport, best: PlanReport) -> bool:
    """Slices weigh the same, as in the average accuracy, so their variances add up over K squared.

    The variance of a slice is that of the mean of paired differences of its test records.
    """
    variance: float = 0.0
    for ours, theirs in zip(plan.test_right, best.test_right, strict=True):
        pairs = [int(a) - int(b) for a, b in zip(theirs, ours, strict=True)]
        mean = sum(pairs) / len(pairs)
        variance += sum((pair - mean) ** 2 for pair in pairs) / len(pairs) ** 2
    error = variance**0.5 / len(plan.test_right)
    return bool(best.average_accuracy - plan.average_accuracy <= 2 * error)


def _all_plans(report: BacktestReport) -> dict[str, PlanReport]:
    joint = {} if report.joint is None else {JOINT: report.joint}
    return {**report.plans, **joint}


def _cells(plan: PlanReport) -> list[str]:
    answered = [value for value in plan.prequential if value is not None]
    return [
        f"{plan.average_accuracy:.3f}",
        f"{plan.forgetting:.3f}" if len(plan.accuracy_matrix) > 1 else "-",
        f"{sum(answered) / len(answered):.3f}" if answered else "-",
        f"{plan.seconds:.0f}",
        f"{plan.seconds / len(plan.windows):.1f}",
        f"{plan.sample_steps}",
        f"{plan.forward_passes}",
        f"{plan.peak_memory_bytes / 2**20:.0f}",
    ]
