"""What a continual-learning method may contribute to a fit; methods do not know each other.

A method is a frozen object in one of four roles: a `Draw` says which records are fitted on, a
`Loss` what is minimised on them, a `Hook` what happens to the weights after each step, a
`Transform` what is made of the fitted model. The fit (`model.fit`) adds losses up and knows no
method by name.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model.data import Record
from model.encoder import Encoder
from model.head import LinearHead
from model.methods.teacher import Teacher

Weights = Mapping[str, Tensor]
"""What a fit changes, by name: `encoder.` and a parameter of the encoder's module, or `head.`."""


@dataclass(frozen=True, slots=True)
class FitBatch:
    """What one forward pass of the fit gives an objective."""

    features: Tensor
    """(B, D), of unit length."""
    logits: Tensor
    """(B, C), of the head that lives as long as the fit."""
    labels: Tensor
    """(B,), int64."""
    records: Tensor | None = None
    """(B,), int64: which of the drawn records these are."""
    weights: Weights = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """Held-out records that may choose and stop, and never judge."""

    texts: Sequence[str]
    targets: NDArray[np.int64]
    """(M,), M at least 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitContext:
    """What a method may know of a fit before it starts. N records are fitted on."""

    start: Encoder
    """Where the fit starts: the champion's encoder. Nothing may change it."""
    start_head: LinearHead | None
    """Where the softmax head starts; None is zeros."""
    teacher: Teacher | None
    """The champion's answers to the N texts; None where nothing serves yet."""
    texts: Sequence[str]
    targets: NDArray[np.int64]
    """(N,)."""
    replayed: NDArray[np.bool_]
    """(N,), whether a record is an older one."""
    num_labels: int
    selection: Selection | None
    seed: int


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


class Loss(Protocol):
    """Prepares an objective for one fit; frozen, and the same context gives the same objective."""

    def objective(self, context: FitContext) -> Objective | None:
        """The loss to add, or None where there is nothing to hold on to or its weight is 0."""
        ...


class StepHook(Protocol):
    """Lives as long as one fit, sees the weights after each step and may write into them."""

    def after_step(self, weights: Weights, *, done: int, steps: int) -> None:
        """`done` of `steps` optimiser steps are over."""
        ...

    def finish(self, weights: Weights) -> None:
        """The fit is over."""
        ...


class Hook(Protocol):
    """Prepares a step hook for one fit."""

    def start(self, weights: Weights) -> StepHook:
        """What to call after each step of a fit that starts at these weights."""
        ...


class Transform(Protocol):
    """Makes of a fitted model the one that is proposed; the arguments stay as they are."""

    def __call__(
        self, context: FitContext, encoder: Encoder, head: LinearHead
    ) -> tuple[Encoder, LinearHead]:
        """The encoder and softmax head to go on with."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What a refresh does: which records it draws, and what it makes of them."""

    draw: Draw
    losses: tuple[Loss, ...] = ()
    """Beside cross-entropy, which every plan minimises."""
    hooks: tuple[Hook, ...] = ()
    transforms: tuple[Transform, ...] = ()


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Negative log likelihood of the labels; every plan minimises it."""

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


def newest_and_older(
    records: Iterable[Record], newest_records: int
) -> tuple[list[Record], list[Record]]:
    """The newest records of different ids, and all the others, each oldest first."""
    known = latest_of_each_id(records)
    return known[-newest_records:], known[:-newest_records]


def rank(record_id: str, *, seed: int) -> bytes:
    """A hash of the id under the seed: sorting by it shuffles, whatever the order before."""
    key = seed.to_bytes(16, "big", signed=True)
    return hashlib.blake2b(
        record_id.encode(errors="surrogatepass"), key=key, digest_size=16
    ).digest()
