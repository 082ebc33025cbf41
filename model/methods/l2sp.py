"""L2-SP: weights are drawn to where the fit starts, not to zero.

`alpha / 2 ||w - w_0||^2` over the encoder's weights (Li, Grandvalet and Davoine 2018, "Explicit
inductive bias for transfer learning with convolutional networks", eq. 3). Our deviation: w_0 is the
champion's encoder, not the pretrained one, and the second term, `beta / 2 ||w_new||^2` over weights
without a start, is left to the optimiser's weight decay.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.methods.base import FitBatch, FitContext, Objective, Weights


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """A penalty on the distance from the start.

    Args:
        weight: alpha.
    """

    weight: float

    def objective(self, context: FitContext) -> Objective | None:
        """The penalty around the start of this fit."""
        if self.weight == 0:
            return None
        return Quadratic(starting_weights(context), None, self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class Quadratic:
    """`weight / 2 sum_i importance_i (w_i - start_i)^2`; an importance of None is 1 everywhere."""

    start: Weights
    importance: Weights | None
    weight: float

    def __call__(self, batch: FitBatch) -> Tensor:
        """The loss, shape (); weights that are not fitted have no distance."""
        total = batch.logits.new_zeros(())
        for name, start in self.start.items():
            if name in batch.weights:
                square = (batch.weights[name] - start).square()
                total = total + (
                    square.sum()
                    if self.importance is None
                    else torch.sum(square * self.importance[name])
                )
        return 0.5 * self.weight * total


def starting_weights(context: FitContext) -> Weights:
    """The encoder's weights where the fit starts, by the names of a `FitBatch`."""
    named = context.start.module.named_parameters()
    return {f"encoder.{name}": each.detach() for name, each in named}
