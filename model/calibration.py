"""Whether a candidate's scores can be trusted as much as the champion's."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from model.config import GateConfig

LEAST_SCORE = 0.01
"""Smaller scores of the true label count as this: one record never outweighs many."""
FEWEST_RECORDS = 30
"""Below these many records a mean's bound is not to be trusted, and nothing is proven."""


def log_loss_of_each(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Minus the logarithm of the true label's score, at most 4.6 nats.

    Args:
        scores: (N, C), rows sum to one.
        labels: (N,) the true labels, below C.
    """
    rows, truth = np.asarray(scores, np.float64), np.asarray(labels, np.int64)
    losses: NDArray[np.float64] = -np.log(
        np.maximum(rows[np.arange(len(truth)), truth], LEAST_SCORE)
    )
    return losses


@dataclass(frozen=True, slots=True, eq=False)
class LogLosses:
    """Log losses of champion and candidate on the same judge records, (N,) each, in nats.

    The log loss is a proper score: among models that are as often right it favours the one whose
    scores are as high as it is right (Gneiting and Raftery 2007). Calibration error in bins, which
    events report, has no paired test.
    """

    champion: NDArray[np.float64]
    candidate: NDArray[np.float64]

    def fault(self, config: GateConfig) -> str | None:
        """What to reject it for: a mean rise proven to be over the limit, or None.

        The bound is one-sided at `significance`, by the normal approximation of the paired mean.
        """
        rises = self.candidate - self.champion
        if len(rises) < FEWEST_RECORDS:
            return None
        spread = float(rises.std(ddof=1)) / math.sqrt(len(rises))
        least = float(rises.mean()) + float(ndtri(config.significance)) * spread
        if least <= config.max_log_loss_increase:
            return None
        return (
            f"worse calibrated, log loss {self.candidate.mean():.3f} vs "
            f"{self.champion.mean():.3f}, n={len(rises)}, a rise of at least {least:.3f} where "
            f"{config.max_log_loss_increase:.3f} may"
        )
