"""The tables that a person chooses a plan from."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from model.backtest.report import BacktestReport, PlanReport

JOINT = "joint"


def comparison(report: BacktestReport) -> Table:
    """One line a plan: what it reached, what it forgot, what it cost; whole in 80 columns."""
    table = _table("plan")
    for name in ("average\naccuracy", "forget-\nting", "prequen-\ntial", "seconds", "s/\nwindow"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("sample-\nsteps", "forward\npasses", "peak\nMiB"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, plan in report.plans.items():
        table.add_row(name, *_cells(plan))
    if report.joint is not None:
        table.add_section()
        table.add_row(JOINT, *_cells(report.joint))
    return table


def by_slice(report: BacktestReport) -> Table:
    """The last row of each plan's accuracy matrix: where it is good, where it is not."""
    table = _table("slice")
    table.add_column("learned", justify="right", no_wrap=True)
    table.add_column("tested", justify="right", no_wrap=True)
    plans = _all_plans(report)
    for name in plans:
        table.add_column(name, justify="right", overflow="fold", min_width=5)
    for index, held in enumerate(report.slices):
        accuracies = [f"{plan.accuracy_matrix[-1][index]:.3f}" for plan in plans.values()]
        table.add_row(held.name, f"{held.train_records}", f"{held.test_records}", *accuracies)
    return table


def _table(first: str) -> Table:
    """With a first column of names, of any length, that breaks before a number is cut."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    return table


def left_out(report: BacktestReport) -> list[str]:
    """A line where rows could not be used: the lines that say why are far above by now."""
    if not report.rows_left_out:
        return []
    files = ", ".join(f"{count} of {path}" for path, count in report.rows_left_out.items())
    return [f"Rows that could not be used and were left out: {files}."]


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
