"""Confidence bounds for proportions, one-sided, good also where few records are at hand."""

import math

from scipy.optimize import brentq
from scipy.special import bdtr, ndtri


def paired_difference_bounds(
    gains: int, losses: int, num_records: int, *, confidence: float
) -> tuple[float, float]:
    """Bound the difference of two accuracies on the same records, from below and from above.

    Tango's score interval (1998, eq. 8 to 11): the differences d at which
    `(gains - losses - N d) / sqrt(N (2 q + d (1 - d)))` is plus or minus the normal quantile, with
    q the maximum-likelihood share of losses given d. Unlike Wald's it keeps its level at small N
    and does not collapse to a point where no answer differs: then it is `z^2 / (N + z^2)` wide on
    either side.

    Args:
        gains: records that were wrong and now are right.
        losses: records that were right and now are wrong.
        num_records: N, at least 1, all records.
        confidence: of each bound alone.
    """
    z = float(ndtri(confidence))

    def excess(difference: float) -> float:
        return _tango(gains, losses, num_records, difference)

    edge = 1 - 1e-12
    estimate = min(max((gains - losses) / num_records, -edge), edge)
    low, high = -1.0, 1.0
    if excess(-edge) > z:
        low = float(brentq(lambda d: excess(d) - z, -edge, estimate))
    if excess(edge) < -z:
        high = float(brentq(lambda d: excess(d) + z, estimate, edge))
    return low, high


def excludes_loss(
    gains: int, losses: int, num_records: int, *, margin: float, confidence: float
) -> bool:
    """Whether a loss of `margin` or more is excluded: Tango's lower bound lies above `-margin`.

    The same as by `paired_difference_bounds`, without searching for the bound.
    """
    return _tango(gains, losses, num_records, -margin) > float(ndtri(confidence))


def proves_loss(
    gains: int, losses: int, num_records: int, *, margin: float, confidence: float
) -> bool:
    """Whether a loss of more than `margin` is proven: the upper bound lies below `-margin`."""
    return _tango(gains, losses, num_records, -margin) < -float(ndtri(confidence))


def chance_if_equal(gains: int, losses: int) -> float:
    """Of no more gains among what differs if both were equal (McNemar's exact test, one-sided)."""
    return float(bdtr(gains, gains + losses, 0.5)) if losses else 1.0


def proportion_lower_bound(hits: int, num_records: int, *, confidence: float) -> float:
    """Bound a proportion from below by Wilson's score interval (1927)."""
    z = float(ndtri(confidence))
    share, weight = hits / num_records, z * z / num_records
    spread = z * math.sqrt(share * (1 - share) / num_records + weight / (4 * num_records))
    return max(0.0, (share + weight / 2 - spread) / (1 + weight))


def _tango(gains: int, losses: int, num_records: int, difference: float) -> float:
    n, d = num_records, difference
    a = 2 * n
    b = -gains - losses + (2 * n - gains + losses) * d
    c = -losses * d * (1 - d)
    q = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * q + d * (1 - d))
    distance = gains - losses - n * d
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)
