"""Two closed-form classifiers over sufficient statistics, in float64: discriminant and ridge.

D stands for all columns of the statistics: plain features, or plain and projected ones. Each
returns `weight` (C, D) and `bias` (C,) with logits `x @ weight.T + bias`. Neither ever
predicts a label without records, whatever the text: see `_with_absent_labels`.
"""

from typing import Literal

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from model.statistics import FloatArray, Statistics

Prior = Literal["observed", "balanced"] | FloatArray
"""Class priors: shares of the records, all equal, or given (C,), above 0 where there are records;
what is given is normalised over the labels with records."""

_NEVER = 1e4
"""How far a label without records lies below the others: exp(-10^4 / T) is zero for any temperature
that is fitted in practice, and the number still fits half precision."""


def discriminant(
    stats: Statistics, *, shrinkage: float, prior: Prior
) -> tuple[FloatArray, FloatArray]:
    """Solve a linear discriminant with shrunk covariance (Deep SLDA, Hayes and Kanan 2020).

    With S the pooled within-class covariance (divided by the number of records N), class means m_c
    and the grand mean m, the covariance is `(1 - shrinkage) S + shrinkage tr(S) / D I`, w_c solves
    `covariance w_c = m_c - m`, and `bias_c = log prior_c - w_c (m_c + m) / 2`. Taking m off is our
    deviation: it moves all logits of a text alike and keeps them small in float32. Where every
    label has one record only, S is zero and the total covariance gives the scale: nearest mean.

    Raises:
        ValueError: there are no labels or `shrinkage` is outside [0, 1].
    """
    if not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage is {shrinkage}, outside [0, 1]")
    live = stats.counts > 0
    if not live.any():
        return _undecided(stats)
    counts, sums = stats.counts[live], stats.sums[live]
    num_records = counts.sum()
    means, mean = sums / counts[:, None], sums.sum(axis=0) / num_records
    within = (stats.gram - sums.T @ means) / num_records
    offsets = means - mean
    between = float(counts @ np.einsum("cd,cd->c", offsets, offsets) / num_records)
    weight = _shrunk(within, offsets.T, shrinkage=shrinkage, between=between).T
    log_prior = np.log(shares_of(stats, prior)[live])
    centred_bias = log_prior - 0.5 * np.einsum("cd,cd->c", weight, offsets)
    # sum_c n_c w_c = 0, so the count-weighted mean logit is this constant; the best is no lower.
    least_best = float(counts @ centred_bias / num_records)
    return _with_absent_labels(stats, weight, centred_bias - weight @ mean, least_best)


def ridge(stats: Statistics, *, penalty: float) -> tuple[FloatArray, FloatArray]:
    """Solve ridge regression on one-hot targets, centred, with a free intercept.

    With G the centred Gram matrix of N records, w solves `(G + penalty tr(G) / (N D) I) w = Xc^T Y`
    (ACIL, Zhuang et al. 2022, who penalise in absolute units). `penalty` counts records: it weighs
    like so many more of average spread that are of no label, so it fades as records come in.

    Raises:
        ValueError: there are no labels or `penalty` is not positive.
    """
    if penalty <= 0:
        raise ValueError(f"penalty is {penalty}, not positive")
    live = stats.counts > 0
    if not live.any():
        return _undecided(stats)
    counts, sums = stats.counts[live], stats.sums[live]
    num_records = counts.sum()
    mean = sums.sum(axis=0) / num_records
    centred = stats.gram - num_records * np.outer(mean, mean)
    unit = max(float(np.trace(centred)), 0.0) / (num_records * stats.width)
    targets = (sums - counts[:, None] * mean).T
    weight = _solve(centred, targets, added=penalty * unit, scale=unit * num_records).T
    bias = counts / num_records - weight @ mean
    # The logits of a text sum to one, so the best is positive.
    return _with_absent_labels(stats, weight, bias, 0.0)


def shares_of(stats: Statistics, prior: Prior) -> FloatArray:
    """The prior of each label (C,), 0 for labels without records; they sum to one.

    Raises:
        ValueError: given shares are not (C,), or not finite and above 0 for each live label.
    """
    live = stats.counts > 0
    if isinstance(prior, str):
        weighed = stats.counts if prior == "observed" else np.ones(stats.num_labels)
    else:
        weighed = np.asarray(prior, dtype=np.float64)
    usable = (
        weighed.shape == live.shape and np.isfinite(weighed).all() and (weighed[live] > 0).all()
    )
    if not usable:
        raise ValueError(f"prior {weighed} must be {live.shape}, finite and above 0 where live")
    shares: FloatArray = np.where(live, weighed, 0.0) / weighed[live].sum()
    return shares


def oas_shrinkage(stats: Statistics) -> float:
    """The share of the isotropic part that makes the covariance most exact on average.

    Oracle approximating shrinkage (Chen et al. 2010, eq. 23) of the within-class covariance, with
    its N - C degrees of freedom in place of N. In [0, 1]; 1 where nothing can be estimated.
    """
    live = stats.counts > 0
    counts, sums = stats.counts[live], stats.sums[live]
    freedom = counts.sum() - len(counts)
    if freedom <= 0:
        return 1.0
    within = (stats.gram - sums.T @ (sums / counts[:, None])) / freedom
    trace, squares, dim = float(np.trace(within)), float((within * within).sum()), len(within)
    below = (freedom + 1 - 2 / dim) * (squares - trace * trace / dim)
    if below <= 0:
        return 1.0
    return float(np.clip(((1 - 2 / dim) * squares + trace * trace) / below, 0.0, 1.0))


def _with_absent_labels(
    stats: Statistics, weight: FloatArray, bias: FloatArray, least_best: float
) -> tuple[FloatArray, FloatArray]:
    """Put labels without records 10^4 below the least value that the best logit can take."""
    live = stats.counts > 0
    all_weight = np.zeros((stats.num_labels, stats.width))
    all_bias = np.full(stats.num_labels, min(0.0, least_best) - _NEVER)
    all_weight[live], all_bias[live] = weight, bias
    return all_weight, all_bias


def _undecided(stats: Statistics) -> tuple[FloatArray, FloatArray]:
    if not stats.num_labels:
        raise ValueError("there are no labels to solve a head for")
    return np.zeros((stats.num_labels, stats.width)), np.zeros(stats.num_labels)


def _shrunk(
    within: FloatArray, offsets: FloatArray, *, shrinkage: float, between: float
) -> FloatArray:
    dim = len(within)
    spread = float(np.trace(within)) / dim
    if spread <= 1e-10 * between / dim:
        # No two records of one label differ: the distance between labels is all there is.
        return offsets / (between / dim if between > 0 else 1.0)
    return _solve((1 - shrinkage) * within, offsets, added=shrinkage * spread, scale=spread)


def _solve(matrix: FloatArray, right: FloatArray, *, added: float, scale: float) -> FloatArray:
    """Solve `(matrix + added I) x = right` by Cholesky.

    Where rounding or too few records leave that singular, a share of `scale` is added, the smallest
    of a few that works.
    """
    diagonal = np.diag_indices(len(matrix))
    for share in (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2):
        padded = matrix.copy()
        padded[diagonal] += added + share * scale
        try:
            solution: FloatArray = cho_solve(cho_factor(padded, overwrite_a=True), right)
        except LinAlgError:
            continue
        if np.isfinite(solution).all():
            return solution
    # Nothing but rounding is left of the matrix: no direction tells labels apart.
    return np.zeros_like(right)
