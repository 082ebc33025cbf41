"""Lines over an axis: learning and forgetting, receiver operating characteristic, reliability."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from consumers.plots.figure import Style, drawing, legend_outside, shortened, style

Point = tuple[float, float]


def curves(
    lines: Mapping[str, Sequence[float]],
    path: Path,
    *,
    title: str,
    x: str = "step",
    y: str = "accuracy",
    at: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Draw named lines of shares over an axis, each value with its mark; not those without values.

    Args:
        lines: name of each line and its T values, at most 1; NaN leaves a gap.
        path: ends in `.png` or `.svg`.
        title: above the picture.
        x: what the horizontal axis counts.
        y: what the vertical axis measures.
        at: name of each line and its T places on the horizontal axis. Default: 1 to T.
    """
    with drawing(path, width=8.0, height=4.0) as axes:
        for index, (name, values) in enumerate(lines.items()):
            if np.isnan(values).all():
                continue  # its colour stays its own: the other lines look as in other pictures
            places = at[name] if at is not None else range(1, len(values) + 1)
            chosen = style(index)
            axes.plot(places, values, label=shortened(name), markersize=4, clip_on=False, **chosen)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _end_at_one(axes)
        _frame_single_step(axes)
        _finish(axes, title=title, x=x, y=y)


def accuracy_against_compute(
    points: Mapping[str, Sequence[Point]],
    path: Path,
    *,
    title: str = "Accuracy against compute",
    x: str = "sample-steps of training",
    y: str = "average accuracy after the last slice",
    shares: bool = True,
) -> None:
    """Draw what each plan reached and what it cost, one mark a run.

    Args:
        points: name of each plan and its runs, as (compute, accuracy).
        path: ends in `.png` or `.svg`.
        title: above the picture.
        x: what compute is counted in.
        y: what accuracy is measured on.
        shares: accuracy lies from 0 to 1, and so does its axis.
    """
    with drawing(path, width=8.0, height=4.5) as axes:
        for index, (name, runs) in enumerate(points.items()):
            chosen: Style = {**style(index), "linestyle": "none"}
            places, heights = ([run[axis] for run in runs] for axis in (0, 1))
            axes.plot(places, heights, label=shortened(name), markersize=7, clip_on=False, **chosen)
        axes.margins(0.08)
        if shares:
            _end_at_one(axes)
        axes.ticklabel_format(axis="x", style="plain")
        _finish(axes, title=title, x=x, y=y)


def roc(
    lines: Mapping[str, tuple[float | None, Sequence[Point]]],
    path: Path,
    *,
    title: str = "ROC, one label against the rest",
) -> None:
    """Draw receiver operating characteristics.

    Args:
        lines: name of each curve, its area, which the legend says, and its points,
            (false-positive rate, true-positive rate).
        path: ends in `.png` or `.svg`.
        title: above the picture.
    """
    with drawing(path, width=7.5, height=4.5) as axes:
        _diagonal(axes, "guessing")
        for index, (name, (area, points)) in enumerate(lines.items()):
            chosen: Style = {**style(index), "marker": ""}
            label = shortened(name) if area is None else f"{shortened(name)}, area {area:.3f}"
            axes.plot([x for x, _ in points], [y for _, y in points], label=label, **chosen)
        axes.set_aspect("equal")
        _finish(axes, title=title, x="false-positive rate", y="true-positive rate")


def calibration(
    lines: Mapping[str, Sequence[tuple[float, float, int]]],
    path: Path,
    *,
    title: str = "Calibration: how often an answer of some confidence is right",
) -> None:
    """Draw reliability diagrams: a mark above the diagonal is underconfident, below overconfident.

    Args:
        lines: name of each model and its bins, as (mean confidence, accuracy, number of records);
            the area of a mark grows with its records.
        path: ends in `.png` or `.svg`.
        title: above the picture.
    """
    with drawing(path, width=7.5, height=4.5) as axes:
        _diagonal(axes, "calibrated")
        for index, (name, bins) in enumerate(lines.items()):
            chosen = style(index)
            x, y, counts = ([held[part] for held in bins] for part in range(3))
            area = 15 + 200 * np.asarray(counts) / max(1, *counts)
            axes.plot(x, y, label=name, linewidth=1, markersize=4, **chosen)
            axes.scatter(x, y, s=area, color=chosen["color"], marker=chosen["marker"], alpha=0.6)
        axes.set_aspect("equal")
        _finish(axes, title=title, x="confidence", y="accuracy")


def _frame_single_step(axes: Axes) -> None:
    """Show a single step alone and on the whole scale: it has no course to look at closely."""
    first, last = axes.dataLim.intervalx
    if first == last:
        axes.set(xlim=(first - 0.5, first + 0.5), ylim=(0.0, 1.0))


def _end_at_one(axes: Axes) -> None:
    """Let no margin suggest shares above 1 or below 0; marks there are drawn whole all the same."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, 0.0), min(top, 1.0))


def _diagonal(axes: Axes, name: str) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label=name)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _finish(axes: Axes, *, title: str, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y)
    axes.set_title(title)
    axes.grid(visible=True, color="0.9")
    axes.set_axisbelow(True)
    legend_outside(axes)
