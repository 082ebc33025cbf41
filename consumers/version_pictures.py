"""The pictures of a version: how it answers, and how the task came to it."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from consumers import plots
from model.history import Remembering, learning, remembering
from model.lineage_entry import LineageEntry
from schemas.metrics import ClassificationMetrics

Format = Literal["png", "svg"]

MOST_FORGETTING_CURVES = 8
"""Most windows that have a line; the matrix shows them all."""


def draw(entries: Sequence[LineageEntry], folder: Path, *, suffix: Format) -> list[Path]:
    """Draw the last of these entries and the way to it; the files, in their order.

    A round without a candidate (skipped, rolled back) has no confusion matrix, ROC or reliability
    diagram; a history without slices by window, no forgetting curves.

    Args:
        entries: of one task from its first to the one that is shown.
        folder: made where it lacks; files of the same names are replaced.
        suffix: the format.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    entry = entries[-1]
    found, name = entry.evaluation, f"{entry.task}, round {entry.sequence}"
    files = []

    def file(stem: str) -> Path:
        files.append(folder / f"{stem}.{suffix}")
        return files[-1]

    if found.candidate_metrics is not None:
        _answers(found.champion_metrics, found.candidate_metrics, name, file)
    _learning_curve(entries, name, file("learning-curve"))
    matrix = remembering(entries)
    if matrix.rounds:
        _forgetting_curves(matrix, name, file("forgetting-curves"))
        plots.accuracy_matrix(
            [_gaps(row) for row in matrix.accuracy],
            [str(window) for window in matrix.windows],
            file("accuracy-matrix"),
            steps=[str(sequence) for sequence in matrix.rounds],
            title=f"{name}: accuracy by the round that brought the records",
            axes=("after round", "held-out records of round"),
        )
    return files


def _answers(
    champion: ClassificationMetrics | None,
    candidate: ClassificationMetrics,
    name: str,
    file: Callable[[str], Path],
) -> None:
    labels = [held.label for held in candidate.classes]
    plots.confusion(labels, candidate.confusion, file("confusion"), title=f"{name}: confusion")
    if candidate.roc_curves:
        areas = {held.label: held.roc_auc for held in candidate.classes}
        plots.roc(
            {held.label: (areas.get(held.label), held.points) for held in candidate.roc_curves},
            file("roc"),
            title=f"{name}: ROC, one label against the rest" + _smallest(candidate),
        )
    both = {"champion": champion, "candidate": candidate}
    plots.calibration(
        {
            f"{who}, error {held.calibration_error:.3f}": [
                (each.confidence, each.accuracy, each.num_records) for each in held.calibration_bins
            ]
            for who, held in both.items()
            if held is not None
        },
        file("reliability"),
        title=f"{name}: reliability",
    )


def _smallest(metrics: ClassificationMetrics) -> str:
    shown = len(metrics.roc_curves)
    every = sum(held.roc_auc is not None for held in metrics.classes)
    return f"\nthe {shown} smallest areas of {every}" if shown < every else ""


def _learning_curve(entries: Sequence[LineageEntry], name: str, path: Path) -> None:
    curve = learning(entries)
    lines = {"prequential": curve.prequential, "new": curve.new, "old": curve.old}
    plots.curves(
        {which: _gaps(values) for which, values in lines.items()},
        path,
        title=f"{name}: accuracy of what served after each round",
        x="round",
        at=dict.fromkeys(lines, curve.rounds),
    )


def _forgetting_curves(matrix: Remembering, name: str, path: Path) -> None:
    shown = _spread(matrix.windows, MOST_FORGETTING_CURVES)
    lines = {f"records of round {window}": _gaps(matrix.curve(window)) for window in shown}
    plots.curves(
        lines,
        path,
        title=f"{name}: accuracy on earlier rounds' held-out records",
        x="after round",
        at=dict.fromkeys(lines, matrix.rounds),
    )


def _spread(windows: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly from the first to the last."""
    if len(windows) <= most:
        return list(windows)
    return [windows[round(place * (len(windows) - 1) / (most - 1))] for place in range(most)]


def _gaps(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
