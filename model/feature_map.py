"""Carries features from one encoder to the next where the texts are gone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.encoder import Features

MIN_PAIRS = 50
"""Below these many records with features under both encoders no map is fitted."""

PENALTIES = tuple(float(10.0**power) for power in np.arange(-2.0, 3.5, 0.5))

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMap:
    """A linear map between the feature spaces of two encoders, x -> x + x D."""

    shift: _FloatArray
    """D (D, D)."""
    penalty: float
    error: float
    """Mean squared distance of a mapped record to its new features, each left out in turn."""

    def __call__(self, features: Features) -> Features:
        """Features (N, D) under the new encoder as far as the map tells them, of unit length."""
        moved = features + features @ self.shift
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.maximum(lengths, 1e-12), np.float32)


def fit_map(old: Features, new: Features) -> FeatureMap | None:
    """Fit a map on records whose features are known under both encoders.

    Ridge towards the identity: D minimises |X + X D - Y|^2 + penalty |D|^2, the penalty chosen by
    the leave-one-out error, which ridge gives in closed form (Allen 1974, PRESS).

    That features drift between encoders and can be carried along is Yu et al. (2020, "Semantic
    drift compensation for class-incremental learning"), with one shift a class; the learned linear
    map is Gomez-Villa et al. (2024, "Exemplar-free continual representation learning via learnable
    drift compensation"). We deviate: the map moves each record, not each class mean, since the head
    needs second moments too; and the pairs come from replayed records, most of which the encoder
    was fitted on. Pairs that it was not fitted on would be fairer and were no better by trial.

    Args:
        old: (N, D) under the encoder before, of unit length.
        new: (N, D) of the same records under the encoder after.

    Returns:
        None where there are fewer than `MIN_PAIRS`.
    """
    if len(old) < MIN_PAIRS:
        return None
    inputs = old.astype(np.float64)
    drift = new.astype(np.float64) - inputs
    spread, axes = np.linalg.eigh(inputs.T @ inputs)
    turned = inputs @ axes
    seen = turned.T @ drift
    errors = {p: _left_out_error(turned, spread, seen, drift, p) for p in PENALTIES}
    penalty = min(PENALTIES, key=errors.__getitem__)
    shift = axes @ (seen / (spread + penalty)[:, None])
    return FeatureMap(shift=shift, penalty=penalty, error=errors[penalty])


def _left_out_error(
    turned: _FloatArray, spread: _FloatArray, seen: _FloatArray, drift: _FloatArray, penalty: float
) -> float:
    """Mean over records of |e_i|^2 / (1 - h_i)^2, with h the diagonal of the hat matrix."""
    residual = drift - turned @ (seen / (spread + penalty)[:, None])
    own = 1.0 - turned**2 @ (1.0 / (spread + penalty))
    return float(np.mean((residual**2).sum(axis=1) / own**2))
