"""Gaussian blobs of a few labels, of unequal sizes and spreads."""

import numpy as np

from model.statistics import Statistics

DIM = 12


def blobs(
    size: int, *, num_labels: int = 4, spread: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    centres = np.random.default_rng(99).normal(size=(num_labels, DIM))
    rng = np.random.default_rng(seed)
    labels = rng.choice(
        num_labels, size, p=np.arange(1, num_labels + 1) / sum(range(num_labels + 1))
    )
    noise = rng.normal(size=(size, DIM)) * np.linspace(0.3, 2, DIM)
    return (centres[labels] + spread * noise).astype(np.float32), labels


def stats_of(features: np.ndarray, labels: np.ndarray, num_labels: int = 4) -> Statistics:
    return Statistics.of(features, labels, num_labels=num_labels)
