"""What a continual-learning method may contribute to a fit; methods do not know each other.

A method is a frozen object, or two: a `Draw` says which records are fitted on, an `Objective` what
is minimised on each batch. The fit (`model.fit`) adds objectives up and knows no method by name.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn import functional

from model.data import Record


@dataclass(frozen=True, slots=True)
class FitBatch:
    """What one forward pass of the fit gives an objective."""

    features: Tensor
    """(B, D), of unit length."""
    logits: Tensor
    """(B, C), of the head that lives as long as the fit."""
    labels: Tensor
    """(B,), int64."""


class Draw(Protocol):
    """Chooses the records of a fit.

    `records` are the learned records, oldest first. The choice holds no id twice (the newest record
    of an id stands), keeps their order, and depends on nothing but the arguments: chance comes from
    hashes of the ids, keyed by `seed`, so that there is no generator state to save.
    """

    def __call__(self, records: Sequence[Record], *, seed: int) -> tuple[Record, ...]:
        """The records to fit on, oldest first, never more than the budget."""
        ...

    @property
    def budget(self) -> int:
        """Most records of a choice."""
        ...


class Objective(Protocol):
    """A loss: the mean over the batch of what each record costs, a scalar with a gradient."""

    def __call__(self, batch: FitBatch) -> Tensor:
        """The loss, shape ()."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What a refresh does: which records it draws, and what it minimises on them."""

    draw: Draw
    objectives: tuple[Objective, ...]


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Negative log likelihood of the labels; every plan so far minimises it."""

    def __call__(self, batch: FitBatch) -> Tensor:
        """The loss, shape ()."""
        return functional.cross_entropy(batch.logits, batch.labels)


def latest_of_each_id(records: Iterable[Record]) -> list[Record]:
    """The records without repeats: of each id the last one, where that stands."""
    held: dict[str, Record] = {}
    for record in records:
        held.pop(record.id, None)
        held[record.id] = record
    return list(held.values())


def rank(record_id: str, *, seed: int) -> bytes:
    """A hash of the id under the seed: sorting by it shuffles, whatever the order before."""
    key = seed.to_bytes(16, "big", signed=True)
    return hashlib.blake2b(
        record_id.encode(errors="surrogatepass"), key=key, digest_size=16
    ).digest()
