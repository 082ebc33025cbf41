"""The confusion matrix as a heat map: of each true label, which answers it got."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consumers.plots.matrix import heat_map

Cell = tuple[int, int, int]
"""Index of the true label, index of the answer, number of records."""

MOST_LABELS = 80
"""Most labels in the picture: those that are confused most."""


def confusion(
    labels: Sequence[str], cells: Iterable[Cell], path: Path, *, title: str = "Confusion"
) -> None:
    """Draw a confusion matrix, each row as shares of its true label's records.

    With more than `MOST_LABELS` labels those with the most errors are shown; the title says so.

    Args:
        labels: their names; cells point into them.
        cells: the cells that are not zero.
        path: ends in `.png` or `.svg`.
        title: above the picture.
    """
    counts = np.zeros((len(labels), len(labels)))
    for true, answered, number in cells:
        counts[true, answered] += number
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    shown = _most_confused(counts)
    if len(shown) < len(labels):
        title = f"{title}: the {len(shown)} most confused of {len(labels)} labels"
    names = [labels[index] for index in shown]
    held = shares[np.ix_(shown, shown)]
    heat_map(held, names, names, path, labels=("true label", "answer"), title=title)


def _most_confused(counts: NDArray[np.float64]) -> list[int]:
    """Indices of the labels to show, in their own order."""
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    most = np.argsort(-errors, kind="stable")[:MOST_LABELS]
    return sorted(int(index) for index in most)
