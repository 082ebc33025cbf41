"""Heat maps: rows by columns of shares, each cell with its number where there is room."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from consumers.plots.figure import HEAT, drawing, shortened

CELL_INCHES = 0.45
"""Side of a cell that has its number written in."""
SMALL_CELL_INCHES = 0.17
"""Side of one without: a line of 6-point text fits."""
MOST_NUMBERED = 16
"""Most rows or columns whose cells have their numbers written in."""
MOST_NAMED = 100
"""Most names on an axis; beyond it every second, third, ... is written."""


def accuracy_matrix(
    matrix: ArrayLike,
    names: Sequence[str],
    path: Path,
    *,
    steps: Sequence[str] | None = None,
    title: str = "Accuracy on each slice after each step",
    axes: tuple[str, str] = ("after step", "accuracy on slice"),
) -> None:
    """Draw R[i, j], the accuracy after step i on slice j.

    Args:
        matrix: (T, S); NaN where nothing was measured, left blank.
        names: of the S slices.
        path: ends in `.png` or `.svg`.
        steps: names of the T steps. Default: their numbers from 1.
        title: above the picture.
        axes: what the rows and the columns are.
    """
    values = np.asarray(matrix, dtype=np.float64)
    rows = steps or [str(number + 1) for number in range(len(values))]
    heat_map(values, rows, names, path, labels=axes, title=title)


def heat_map(
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    path: Path,
    *,
    labels: tuple[str, str],
    title: str,
) -> None:
    """Draw shares (T, S) in [0, 1] with the names of the rows and columns.

    Args:
        values: (T, S); NaN is left blank.
        rows: T names.
        columns: S names.
        path: ends in `.png` or `.svg`.
        labels: of the vertical and of the horizontal axis.
        title: above the picture.
    """
    numbered = max(values.shape, default=0) <= MOST_NUMBERED
    side = CELL_INCHES if numbered else SMALL_CELL_INCHES
    height, width = (max(2.0, min(count, MOST_NAMED) * side) for count in values.shape)
    with drawing(path, width=width + 3.2, height=height + 2.2) as axes:
        image = axes.imshow(values, cmap=HEAT, vmin=0.0, vmax=1.0, aspect="auto")
        _name(axes, rows, columns, small=not numbered)
        axes.set(ylabel=labels[0], xlabel=labels[1])
        axes.set_title(title)
        if numbered:
            _number(axes, values)
        axes.figure.colorbar(image, ax=axes, label="share", fraction=0.05, aspect=30)


def _name(axes: Axes, rows: Sequence[str], columns: Sequence[str], *, small: bool) -> None:
    size = 6.0 if small else 8.0
    for axis, names in ((axes.yaxis, rows), (axes.xaxis, columns)):
        every = -(-len(names) // MOST_NAMED) or 1
        places = range(0, len(names), every)
        axis.set_major_locator(FixedLocator([float(place) for place in places]))
        axis.set_ticklabels([shortened(names[place]) for place in places], fontsize=size)
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", rotation=90)


def _number(axes: Axes, values: NDArray[np.float64]) -> None:
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value) and value >= 0.005:
            colour = "white" if value > 0.6 else "black"
            text = f"{value:.2f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
