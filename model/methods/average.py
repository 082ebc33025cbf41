"""Running averages of the weights over a fit: the mean is flatter than its last step.

`tail` is stochastic weight averaging (Izmailov et al. 2018, "Averaging weights leads to wider
optima", algorithm 1) over the last share of the steps, under the fit's own falling learning rate
instead of a cyclic one; there are no running statistics of norms to renew. `exponential` is
`m <- decay m + (1 - decay) w`, divided by `1 - decay^t` at the end, so that the start, from which
the average has not been taken, has no weight (after Kingma and Ba 2015, section 3).
"""

from dataclasses import dataclass, field
from typing import Literal

import torch

from model.methods.base import StepHook, Weights


@dataclass(frozen=True, slots=True)
class RunningAverage:
    """The mean weights of a fit in place of its last.

    Args:
        kind: `tail` or `exponential`.
        share: last share of the steps that `tail` averages, in (0, 1].
        decay: of `exponential`.
    """

    kind: Literal["tail", "exponential"]
    share: float
    decay: float

    def start(self, weights: Weights) -> StepHook:
        """An average of nothing yet."""
        return _Average(self, {name: torch.zeros_like(each) for name, each in weights.items()})


@dataclass(slots=True)
class _Average:
    method: RunningAverage
    sums: dict[str, torch.Tensor]
    mass: float = field(default=0.0)
    """What the weights of the steps in the sums come to."""

    @torch.no_grad()
    def after_step(self, weights: Weights, *, done: int, steps: int) -> None:
        """Take the step in."""
        exponential = self.method.kind == "exponential"
        if not exponential and done <= steps * (1 - self.method.share):
            return
        kept = self.method.decay if exponential else 1.0
        gained = 1 - kept if exponential else 1.0
        for name, total in self.sums.items():
            total.mul_(kept).add_(weights[name], alpha=gained)
        self.mass = self.mass * kept + gained

    @torch.no_grad()
    def finish(self, weights: Weights) -> None:
        """Write the average over the weights, if it holds a step."""
        if self.mass:
            for name, total in self.sums.items():
                weights[name].copy_(total / self.mass)
