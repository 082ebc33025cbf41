"""Which records each step of a fit sees."""

from collections.abc import Sequence

import numpy as np

from model.config import FitConfig

Step = list[list[int]]
"""The batches of one optimiser step, each a list of record indices."""

_BUCKET_STEPS = 16
"""Steps' worth of shuffled records that are sorted by length together: enough to save most of the
padding, few enough to leave what a batch holds to chance."""


def plan_steps(lengths: Sequence[int], *, config: FitConfig, seed: int) -> list[Step]:
    """Which records each optimiser step sees: every record once an epoch, like lengths together."""
    generator = np.random.default_rng(seed)
    size = config.batch_size * config.accumulate
    steps: list[Step] = []
    for _ in range(config.epochs):
        order = generator.permutation(len(lengths)).tolist()
        epoch: list[Step] = []
        for bucket in _chunks(order, size * _BUCKET_STEPS):
            bucket.sort(key=lengths.__getitem__)
            epoch += [_chunks(step, config.batch_size) for step in _chunks(bucket, size)]
        steps += [epoch[index] for index in generator.permutation(len(epoch))]
    return steps


def _chunks(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
