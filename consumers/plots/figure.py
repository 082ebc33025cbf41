"""What every picture shares: colours, marks, and how a figure becomes a file."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
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


TITLE_MARGIN_INCHES = 0.25
"""Free to the right of a title, also since its letters are not of one width."""


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
        axes: Axes = figure.subplots()
        yield axes
        _fit_title(figure, axes)
        undated = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=150, metadata=undated)


def _fit_title(figure: Figure, axes: Axes) -> None:
    """Break a title that is wider than the room from the axes' left side to the figure's right."""
    given = axes.get_title(loc="left")
    title = axes.set_title(given, loc="left")
    figure.draw_without_rendering()  # lays the figure out: where the axes begin is known then
    held = title.get_window_extent()
    room = (figure.bbox.width - held.x0 - TITLE_MARGIN_INCHES * figure.dpi) / max(held.width, 1)
    if room < 1:
        longest = max(map(len, given.split("\n")))
        lines = (wrap(line, max(1, int(longest * room))) for line in given.split("\n"))
        title.set_text("\n".join(itertools.chain.from_iterable(lines)))


def style(index: int) -> Style:
    """Colour, mark and dash of the line of this index; where colours repeat, marks do not."""
    again, colour = divmod(index, len(COLOURS))
    return {
        "color": COLOURS[colour],
        "marker": MARKS[(colour + again) % len(MARKS)],
        "linestyle": DASHES[again % len(DASHES)],
    }


def legend_outside(axes: Axes) -> None:
    """The legend to the right of the axes, where it covers nothing; none where nothing is drawn."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)


def shortened(name: str) -> str:
    """A name of at most `LONGEST_NAME` characters."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
