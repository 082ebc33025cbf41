"""Calibration: the one number by which logits are divided, so that scores are probabilities."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from model.statistics import FloatArray

_TEMPERATURES = (1e-3, 1e3)


def fit_temperature(
    logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Find the temperature of least log loss (Guo et al. 2017, section 4.2), in [0.001, 1000].

    Our deviation: the best other label of each record counts as true with weight 1 / (N + 2)
    (after Platt 1999), so that N records that are all right do not make for certainty.

    Args:
        logits: (N, C), C at least 2.
        labels: (N,) the true labels.
        weights: (N,) what each record counts for; all alike where not given.
    """
    rows, truth = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    counted = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    every = np.arange(len(truth))
    others = rows.copy()
    others[every, truth] = -np.inf
    rival, doubt = others.argmax(axis=1), 1.0 / (len(truth) + 2)

    def mean_loss(log_temperature: float) -> float:
        log_scores = log_softmax(rows / np.exp(log_temperature), axis=1)
        likely = (1 - doubt) * log_scores[every, truth] + doubt * log_scores[every, rival]
        return -float(np.average(likely, weights=counted))

    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(mean_loss, bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def log_losses(logits: ArrayLike, labels: ArrayLike, *, temperature: float) -> FloatArray:
    """The log loss (N,) of each record, in nats: `-log softmax(logits / temperature)[label]`."""
    rows, truth = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    losses: FloatArray = -log_softmax(rows / temperature, axis=1)[np.arange(len(truth)), truth]
    return losses
