"""Supervised contrastive loss: features of one label gather, those of different labels part.

For each record i with positives P(i), the others of its label in the batch, the mean over P(i) of
`-log(exp(f_i f_p / T) / sum_{a != i} exp(f_i f_a / T))` (Khosla et al. 2020, "Supervised
contrastive learning", eq. 2, L_out), beside cross-entropy as Gunel et al. (2021) do for language
models. Our deviation: no second view of a text and no projection head, the features that serve are
compared; a record without positives in its batch costs nothing, and the mean is over those that
have some.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.methods.base import FitBatch, FitContext, Objective


@dataclass(frozen=True, slots=True)
class Contrastive:
    """Records of a batch against each other; its own objective, since it needs no preparation.

    Args:
        weight: of the loss.
        temperature: T, above 0.
    """

    weight: float
    temperature: float

    def objective(self, context: FitContext) -> Objective | None:
        """The loss, for which nothing is to be prepared."""
        return self if self.weight else None

    def __call__(self, batch: FitBatch) -> Tensor:
        """The loss, shape ()."""
        itself = torch.eye(len(batch.labels), dtype=torch.bool, device=batch.labels.device)
        positives = (batch.labels[:, None] == batch.labels) & ~itself
        cosines = (batch.features @ batch.features.T) / self.temperature
        shares = cosines - cosines.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
        count = positives.sum(dim=1)
        costs = -(shares.where(positives, 0.0)).sum(dim=1) / count.clamp(min=1)
        return self.weight * costs.sum() / (count > 0).sum().clamp(min=1)
