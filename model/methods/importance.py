"""Replay of what is worth most: older records drawn with a chance that grows with a weight.

A record of weight w has the key `u^(1/w)` with u uniform in (0, 1), and the largest keys are taken:
a sample without repeats in which each draw falls on a record in proportion to its weight
(Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir", algorithm A). Here u
comes from the keyed hash of the id. Drawing in proportion, not simply the hardest (as Loshchilov
and Hutter 2016 rank by loss), keeps mislabelled texts, which are always hard, from filling the
sample.

Weights are the champion's loss of a record (`hard`), or its leverage `x^T (X^T X + I)^-1 x` among
the features that the journal holds (`leverage`), which is what a record adds to the determinant of
the matrix: how unlike the others it is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from model.data import Record
from model.head import LinearHead
from model.methods.base import rank


@dataclass(frozen=True, slots=True)
class Weighted:
    """Samples older records in proportion to weights.

    Args:
        weights: above 0, by id; a record without one has their mean.
    """

    weights: Mapping[str, float] = field(default_factory=dict, repr=False)

    def __call__(self, records: Sequence[Record], size: int, *, seed: int) -> list[Record]:
        """At most `size` records, in their order."""
        mean = sum(self.weights.values()) / len(self.weights) if self.weights else 1.0

        def key(record: Record) -> float:
            # log(u) / w orders as u^(1/w) does, and does not underflow.
            weight = max(self.weights.get(record.id, mean), 1e-9)
            return math.log(_uniform(record.id, seed=seed)) / weight

        chosen = {record.id for record in sorted(records, key=key, reverse=True)[:size]}
        return [record for record in records if record.id in chosen]


def losses(head: LinearHead, features: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """The champion's log loss (N,) of each record, with 1 for a label that it does not know.

    Args:
        head: the champion's.
        features: (N, D).
        labels: (N,), indices that may lie beyond the head's.
    """
    truth = np.asarray(labels, dtype=np.int64)
    known = truth < head.num_labels
    costs = np.ones(len(truth))
    scores = head.scores(features)[known, truth[known]]
    costs[known] = -np.log(np.clip(scores, 1e-9, 1.0))
    return costs


def leverages(features: ArrayLike) -> NDArray[np.float64]:
    """`x^T (X^T X + I)^-1 x` of each row of X (N, D), in [0, 1)."""
    rows = np.asarray(features, dtype=np.float64)
    factor = cho_factor(rows.T @ rows + np.eye(rows.shape[1]))
    solved: NDArray[np.float64] = cho_solve(factor, rows.T)
    values: NDArray[np.float64] = np.einsum("nd,dn->n", rows, solved)
    return values


def _uniform(record_id: str, *, seed: int) -> float:
    """In (0, 1)."""
    return (int.from_bytes(rank(record_id, seed=seed)[:7], "big") + 0.5) / 2.0**56
