"""The pictures of a backtest, as SVG: a matrix a plan, curves, accuracy against compute."""

import math
import re
from pathlib import Path

from consumers import plots
from model.backtest.report import BacktestReport, PlanReport


def draw(report: BacktestReport, folder: Path) -> list[Path]:
    """Draw every picture into the folder, made where it lacks; the files, in their order.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [each.name for each in report.slices]
    files = []
    for plan, held in report.plans.items():
        path = folder / f"matrix-{_file_name(plan)}.svg"
        title = f"{plan}: accuracy on each slice after each slice"
        plots.accuracy_matrix(held.accuracy_matrix, names, path, title=title)
        files.append(path)
    files += [_prequential(report, folder), _averages(report, folder), _compute(report, folder)]
    return files


def _prequential(report: BacktestReport, folder: Path) -> Path:
    path = folder / "prequential.svg"
    plots.curves(
        {
            name: [math.nan if value is None else value for value in plan.prequential]
            for name, plan in report.plans.items()
        },
        path,
        title="Prequential accuracy: each window before it is learned",
        x="records",
        at={
            name: [window.records for window in plan.windows] for name, plan in report.plans.items()
        },
    )
    return path


def _averages(report: BacktestReport, folder: Path) -> Path:
    """The mean over the slices so far: forgetting shows as a fall."""
    path = folder / "average-accuracy.svg"
    plots.curves(
        {
            name: [sum(row[: k + 1]) / (k + 1) for k, row in enumerate(plan.accuracy_matrix)]
            for name, plan in report.plans.items()
        },
        path,
        title="Average accuracy on the slices learned so far",
        x="slices learned",
    )
    return path


def _compute(report: BacktestReport, folder: Path) -> Path:
    path = folder / "accuracy-against-compute.svg"
    plans: dict[str, PlanReport] = dict(report.plans)
    if report.joint is not None:
        plans["joint"] = report.joint
    plots.accuracy_against_compute(
        {name: [(float(plan.sample_steps), plan.average_accuracy)] for name, plan in plans.items()},
        path,
    )
    return path


def _file_name(plan: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plan)
