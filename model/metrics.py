"""Measures of classifiers: pure functions of arrays, N at least 1."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def accuracy(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Share of labels that are right, `sum [p_i = t_i] / N`.

    Raises:
        ValueError: there are no records, or the lengths differ.
    """
    guesses, labels = _paired(predicted, truth)
    return float(np.mean(guesses == labels))


def macro_f1(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Mean over labels of `2 TP / (2 TP + FP + FN)`.

    Every label that is true or predicted somewhere counts the same.

    Raises:
        ValueError: there are no records, or the lengths differ.
    """
    guesses, labels = _paired(predicted, truth)
    hits, size = guesses == labels, np.union1d(guesses, labels)
    # 2 TP + FP + FN is how often a label is predicted plus how often it is true.
    scores = [
        2 * np.sum(hits & (labels == label)) / (np.sum(guesses == label) + np.sum(labels == label))
        for label in size
    ]
    return float(np.mean(scores))


def expected_calibration_error(scores: ArrayLike, truth: ArrayLike, *, num_bins: int = 15) -> float:
    """How far confidence and accuracy lie apart (Guo et al. 2017, eq. 3).

    `sum_m |B_m| / N * |acc(B_m) - conf(B_m)|`, where bin B_m holds the records whose highest score
    is in `((m - 1) / M, m / M]`, acc is their accuracy and conf their mean highest score.

    Args:
        scores: (N, C), rows sum to one.
        truth: (N,) indices.
        num_bins: M.

    Raises:
        ValueError: there are no records, or the lengths differ.
    """
    rows = np.asarray(scores, dtype=np.float64)
    guesses, labels = _paired(rows.argmax(axis=1), truth)
    confidence, right = rows.max(axis=1), guesses == labels
    bins = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(labels))


def negative_flip_rate(champion_right: ArrayLike, candidate_right: ArrayLike) -> float:
    """Share of records that were right and now are wrong (Yan et al. 2021, eq. 1).

    `sum [champion right and candidate wrong] / N`, over all records.

    Raises:
        ValueError: there are no records, or the lengths differ.
    """
    before, after = _paired(champion_right, candidate_right)
    return float(np.mean(before.astype(bool) & ~after.astype(bool)))


def _paired(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    left, right = np.asarray(first), np.asarray(second)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"{left.shape} and {right.shape} are not two lists of one length")
    if not len(left):
        raise ValueError("there are no records to measure on")
    return left, right
