"""Encodes the records of a refresh again, within a budget of seconds."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.data import Record
from model.encoder import Encoder, Features
from model.feature_cache import CHUNK_TEXTS, FeatureCache
from model.reread import Reread

Seconds = Callable[[], float]
"""A clock that only goes forward, in seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The records that were encoded in time, and their features."""

    reread: Reread
    features: Features
    """(N, D) of `reread.learned`, then of `reread.apart`."""


def reencoded(
    encoder: Encoder,
    reread: Reread,
    *,
    cache: FeatureCache,
    seconds: float | None,
    first_per_label: int,
    clock: Seconds,
) -> Encoded:
    """Encode what was read again, chunk by chunk, as far as the budget goes.

    A few of each label come first, so that none is lost, then the newest. A chunk is begun where
    the speed so far says that it ends in time; the first one always is. Chunks that an earlier
    attempt left in the cache cost nothing.

    Args:
        encoder: the new one.
        reread: the records at hand.
        cache: of features.
        seconds: the budget, or None for all.
        first_per_label: how many of each label come first.
        clock: tells the time.
    """
    records = [*reread.learned, *reread.apart]
    order = _in_order(records, first_per_label=first_per_label)
    features = np.zeros((len(records), encoder.dim), np.float32)
    started = clock()
    done = 0
    while done < len(order):
        chunk = order[done : done + CHUNK_TEXTS]
        spent = clock() - started
        if seconds is not None and done and spent * (done + len(chunk)) / done > seconds:
            break
        features[chunk] = cache.features(encoder, [records[index][0].text for index in chunk])
        done += len(chunk)
    kept = sorted(order[:done])
    num_learned = len(reread.learned)
    return Encoded(
        reread=replace(
            reread,
            learned=tuple(records[index] for index in kept if index < num_learned),
            apart=tuple(records[index] for index in kept if index >= num_learned),
        ),
        features=features[kept],
    )


def _in_order(records: Sequence[tuple[Record, int]], *, first_per_label: int) -> list[int]:
    """Indices, the newest `first_per_label` of each label first, then the newest of the rest."""
    seen: Counter[str] = Counter()
    first: list[int] = []
    rest: list[int] = []
    for index in sorted(range(len(records)), key=lambda index: (-records[index][1], -index)):
        label = records[index][0].label
        (first if seen[label] < first_per_label else rest).append(index)
        seen[label] += 1
    return first + rest
