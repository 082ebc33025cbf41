"""What a fit trains: the encoder's module with a softmax head beside it."""

import math

import torch
from torch import Tensor, nn

from model.encoder import Encoder
from model.head import LinearHead
from model.methods.base import FitBatch
from model.precision import Precision, bfloat16_pays
from model.trained_head import trained_head


class FitModel(nn.Module):
    """The encoder's module with a linear softmax head for the time of a fit.

    Features have unit length; they are scaled by the root of their width, so that a coordinate has
    unit size on average and the usual learning rates of a linear head fit.

    Args:
        encoder: its module is trained in place.
        num_labels: C.
        start: the head to start from, over C labels; None is zeros.
        precision: of the transformer's matrix products.
        dropout: share of activations that are dropped in the encoder while it trains.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_labels: int,
        start: LinearHead | None = None,
        *,
        precision: Precision = "auto",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.head = nn.Linear(encoder.dim, num_labels, device=encoder.device)
        self._scale = math.sqrt(encoder.dim)
        self._half = precision == "bfloat16" or (
            precision == "auto" and bfloat16_pays(encoder.device)
        )
        with torch.no_grad():
            for parameter in self.head.parameters():
                parameter.zero_()
            if start is not None:
                self.head.weight.copy_(torch.from_numpy(start.weight / self._scale))
                self.head.bias.copy_(torch.from_numpy(start.bias))
        for module in self.encoder.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout  # attention asks its own dropout module for the share too

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        records: Tensor | None = None,
    ) -> FitBatch:
        """A forward pass; features and logits are float32 in any precision."""
        with torch.autocast(input_ids.device.type, torch.bfloat16, enabled=self._half):
            features = self.encoder(input_ids, attention_mask)
        logits = self.head(features * self._scale)
        return FitBatch(features, logits, labels, records)

    def trained_head(self) -> LinearHead:
        """The head over plain features: the scale is part of its weight."""
        weight = self.head.weight.detach().cpu() * self._scale
        return trained_head(weight.numpy(), self.head.bias.detach().cpu().numpy())
