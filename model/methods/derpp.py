"""Dark experience replay: replayed records keep their old logits and their labels.

DER++ of Buzzega et al. (2020, "Dark experience for general continual learning", eq. 6) adds to the
loss of the stream `alpha E[||z - h(x)||^2] + beta E[CE(y, h(x))]` over replayed records, where z
are the logits stored with them. We deviate three times: z are the champion's logits at the time of
the fit, not those of the moment at which a record entered a memory, since the log stores no logits
and the champion is what must not be forgotten; they cover the labels that the champion knows,
without the mean that a softmax does not see, and the square is a mean over labels; one draw from
the replayed records serves both terms.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.methods.base import FitBatch, FitContext, Objective


@dataclass(frozen=True, slots=True)
class DarkExperience:
    """Old logits and labels of replayed records.

    Args:
        alpha: weight of the logits.
        beta: weight of the labels.
    """

    alpha: float
    beta: float

    def objective(self, context: FitContext) -> Objective | None:
        """The loss on replayed records, with the champion's logits as of now."""
        idle = self.alpha == 0 and self.beta == 0
        if idle or context.teacher is None or not context.replayed.any():
            return None
        share = float(context.replayed.mean())
        replayed = torch.from_numpy(context.replayed).to(context.start.device)
        return _OnReplayed(
            context.teacher.logits(),
            context.teacher.taught,
            replayed / share,
            self.alpha,
            self.beta,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _OnReplayed:
    logits: Tensor
    """(N, C')."""
    taught: Tensor
    weights: Tensor
    """(N,): 0 of new records, of replayed ones so much that a mean over all is one over them."""
    alpha: float
    beta: float

    def __call__(self, batch: FitBatch) -> Tensor:
        """The loss, shape ()."""
        ours = batch.logits[:, self.taught]
        centred = ours - ours.mean(dim=1, keepdim=True)
        distance = (centred - self.logits[batch.records]).square().mean(dim=1)
        label = functional.cross_entropy(batch.logits, batch.labels, reduction="none")
        cost = self.alpha * distance + self.beta * label
        return (self.weights[batch.records] * cost).mean()
