"""Receiver operating characteristics, one label against the rest."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_curve

from schemas.metrics import Point

Scores = NDArray[np.float64]
Indices = NDArray[np.int64]


def areas(scores: Scores, truth: Indices) -> Scores:
    """Area under the ROC of each label (C,), NaN where all records are of it or none is.

    The area is the share of pairs of a record of the label and another that the scores put in the
    right order, ties counting half (Mann and Whitney 1947; Fawcett 2006, section 7): ranks give it
    for all labels at once, a hundred labels in the time that `roc_auc_score` takes for a few.

    Args:
        scores: (N, C).
        truth: (N,) the true labels.
    """
    num_records, num_labels = scores.shape
    positives = np.bincount(truth, minlength=num_labels)[:num_labels].astype(np.float64)
    ranks = rankdata(scores, axis=0)
    mine = np.zeros(num_labels)
    np.add.at(mine, truth, ranks[np.arange(num_records), truth])
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Scores = (mine - positives * (positives + 1) / 2) / (
            positives * (num_records - positives)
        )
    return found


def curve(scores: Scores, positive: NDArray[np.bool_], *, num_points: int) -> tuple[Point, ...]:
    """The ROC of one label, thinned to at most so many points, ends included.

    Args:
        scores: (N,) of this label.
        positive: (N,) whether each record is of it; some are, some are not.
        num_points: at least 2. Points are spread evenly along the curve, so that its steep part
            keeps as many as its flat one.
    """
    x, y, _thresholds = roc_curve(positive, scores)
    if len(x) > num_points:
        along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        wanted = np.linspace(0.0, along[-1], num_points)
        kept = np.unique(np.searchsorted(along, wanted - 1e-12))
        x, y = x[kept], y[kept]
    return tuple((round(float(a), 4), round(float(b), 4)) for a, b in zip(x, y, strict=True))
