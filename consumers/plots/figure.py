"""What every picture shares: colours, marks, and how a figure becomes a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette without its yellow, which fades on white: told apart by the colour-blind
(https://jfly.uni-koeln.de/color)."""
MARKS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
"""The next pattern where the colours begin again."""
HEAT = "Blues"
"""One hue, light to dark: readable without colour."""

LONGEST_NAME = 24
"""Characters of a label that are shown."""


class Style(TypedDict):
    """How a line is drawn, as matplotlib calls it."""

    color: str
    marker: str
    linestyle: str


@contextmanager
def drawing(path: Path, *, width: float, height: float) -> Iterator[Axes]:
    """Axes to draw on, in inches; written to `path` in the format of its suffix when left.

    No window system and no global state: the figure is never shown.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(
        {
            "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
            "svg.hashsalt": "freshet",  # equal pictures are equal files
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
        }
    ):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.subplots()
        undated = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=150, metadata=undated)


def style(index: int) -> Style:
    """Colour, mark and dash of the line of this index; where colours repeat, marks do not."""
    again, colour = divmod(index, len(COLOURS))
    return {
        "color": COLOURS[colour],
        "marker": MARKS[(colour + again) % len(MARKS)],
        "linestyle": DASHES[again % len(DASHES)],
    }


def legend_outside(axes: Axes) -> None:
    """The legend to the right of the axes, where it covers nothing."""
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)


def shortened(name: str) -> str:
    """A name of at most `LONGEST_NAME` characters."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
