"""Magnitude pruning: the smallest weights of each matrix become zero, and stay it.

The share of zeros grows as `s (1 - (1 - t)^3)` with t from 0 to 1 over the first part of the fit
(Zhu and Gupta 2017, "To prune, or not to prune", eq. 1, from 0), and the mask is held afterwards,
so that the other weights make up for what is gone. Our deviation: only matrices of the
transformer's layers are pruned, each by its own magnitudes; a fit that starts from pruned weights
keeps their zeros, since they are the smallest.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.methods.base import StepHook, Weights

_UPDATES = 10
"""How often the mask is drawn anew: the order of the magnitudes takes a sort of all weights."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """Zeros by magnitude.

    Args:
        sparsity: share of zeros in each matrix at the end, in [0, 1).
        reached_after: share of the steps after which it is reached, in (0, 1].
    """

    sparsity: float
    reached_after: float

    def start(self, weights: Weights) -> StepHook:
        """Prune the matrices of layers, which have a number in their name."""
        layered = (name for name, each in weights.items() if each.ndim == 2 and _in_a_layer(name))
        return _Pruner(self, tuple(layered))

    def target(self, done: int, steps: int) -> float:
        """The share of zeros after so many steps."""
        part = min(1.0, done / max(1.0, steps * self.reached_after))
        return self.sparsity * (1 - (1 - part) ** 3)


@dataclass(slots=True)
class _Pruner:
    method: Pruning
    names: tuple[str, ...]
    masks: dict[str, Tensor] = field(default_factory=dict)
    masked_for: float = field(default=-1.0)

    @torch.no_grad()
    def after_step(self, weights: Weights, *, done: int, steps: int) -> None:
        """Draw the mask anew where it is due, and put it on."""
        target = self.method.target(done, steps)
        every = max(1, int(steps * self.method.reached_after) // _UPDATES)
        reached = target == self.method.sparsity
        if target > self.masked_for and (reached or done % every == 0):
            self.masks = {name: _mask(weights[name], target) for name in self.names}
            self.masked_for = target
        self.finish(weights)

    @torch.no_grad()
    def finish(self, weights: Weights) -> None:
        """Put the mask on: after the last step others may have written."""
        for name, mask in self.masks.items():
            weights[name].mul_(mask)


def _mask(weight: Tensor, sparsity: float) -> Tensor:
    """1 where a weight stays: all but the smallest, the first of equals going first."""
    mask = torch.ones_like(weight)
    order = weight.abs().flatten().argsort(stable=True)
    mask.view(-1)[order[: round(sparsity * weight.numel())]] = 0
    return mask


def _in_a_layer(name: str) -> bool:
    return any(part.isdigit() for part in name.split("."))
