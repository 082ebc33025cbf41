"""How well a model answers on labeled records: every figure of `ClassificationMetrics`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from model.calibration import log_loss_of_each
from model.reliability import calibration_error, confidence_bins
from model.roc import areas, curve
from schemas.metrics import (
    MOST_CELLS,
    MOST_CLASSES,
    MOST_CURVES,
    MOST_POINTS,
    Cell,
    ClassificationMetrics,
    ClassMetrics,
    RocCurve,
)

Scores = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


def classification_metrics(
    scores: Scores,
    answered: Indices,
    truth: Indices,
    labels: Sequence[str],
    *,
    right_before: Flags | None = None,
) -> ClassificationMetrics | None:
    """Measure one model on N records; None where N is 0.

    Args:
        scores: (N, C), rows sum to one.
        answered: (N,) index of the label it answers, below C.
        truth: (N,) index of the true label, below C.
        labels: the C names.
        right_before: (N,) whether the model before has each record right; None without one.
    """
    if not len(truth):
        return None
    right = answered == truth
    supported, present = np.unique(truth), np.unique([truth, answered])
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, answered, labels=present, zero_division=0.0
    )
    area = areas(scores, truth)
    bins = confidence_bins(scores[np.arange(len(truth)), answered], right)
    macro = np.isin(present, supported)
    listed = _listed(present, support, labels)
    return ClassificationMetrics(
        num_records=len(truth),
        num_labels=len(present),
        accuracy=float(right.mean()),
        macro_precision=_mean(precision[macro]),
        macro_recall=_mean(recall[macro]),
        macro_f1=_mean(f1[macro]),
        roc_auc=_defined(float(np.nanmean(area))) if np.isfinite(area).any() else None,
        log_loss=float(log_loss_of_each(scores, truth).mean()),
        calibration_error=calibration_error(bins),
        negative_flip_rate=None
        if right_before is None
        else negative_flip_rate(right_before, right),
        classes=tuple(
            ClassMetrics(
                label=labels[int(present[place])],
                num_records=int(support[place]),
                precision=round(float(precision[place]), 6),
                recall=round(float(recall[place]), 6),
                f1=round(float(f1[place]), 6),
                roc_auc=_defined(area[present[place]]),
            )
            for place in listed
        ),
        confusion=_cells(truth, answered, present[listed]),
        roc_curves=_curves(scores, truth, area, labels),
        calibration_bins=bins,
    )


def negative_flip_rate(right_before: Flags, right: Flags) -> float:
    """Share of all N records that were right and are now wrong: 1/N sum_i [b_i and not r_i].

    Yan et al. 2021, equation 1. 0 without records.
    """
    return float((right_before & ~right).mean()) if len(right) else 0.0


def _listed(present: Indices, support: Indices, labels: Sequence[str]) -> list[int]:
    """Places in `present` of the labels to list: those with the most records, by name."""
    most = np.argsort(-support, kind="stable")[:MOST_CLASSES]
    return sorted((int(place) for place in most), key=lambda place: labels[int(present[place])])


def _cells(truth: Indices, answered: Indices, classes: Indices) -> tuple[Cell, ...]:
    """Counted as pairs, not as a matrix: most of the C times C cells are zero."""
    place = {int(index): number for number, index in enumerate(classes)}
    pairs, counts = np.unique(np.stack([truth, answered], axis=1), axis=0, return_counts=True)
    cells = [
        (place[row], place[column], int(count))
        for (row, column), count in zip(pairs.tolist(), counts, strict=True)
        if row in place and column in place
    ]
    return tuple(sorted(sorted(cells, key=lambda cell: -cell[2])[:MOST_CELLS]))


def _curves(
    scores: Scores, truth: Indices, area: Scores, labels: Sequence[str]
) -> tuple[RocCurve, ...]:
    """Of the labels with the smallest area: where a picture is worth looking at."""
    smallest = [int(index) for index in np.argsort(area, kind="stable") if np.isfinite(area[index])]
    return tuple(
        RocCurve(
            label=labels[index],
            points=curve(scores[:, index], truth == index, num_points=MOST_POINTS),
        )
        for index in smallest[:MOST_CURVES]
    )


def _mean(values: Scores) -> float:
    return float(values.mean())


def _defined(area: float) -> float | None:
    return round(min(1.0, float(area)), 6) if np.isfinite(area) else None
