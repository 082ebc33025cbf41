"""Token states become one feature vector a text: the module that is fitted, exported and run."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import Pooling


class Pooled(nn.Module):
    """A transformer whose token states are pooled and scaled to unit length.

    Unit length was chosen by trial (MiniLM as it comes, discriminant at shrinkage 0.3 on 1,500
    records): 0.745 against 0.729 on financial headlines, 0.654 either way on stock chatter, 0.784
    against 0.786 on tweets about airlines.
    """

    def __init__(self, transformer: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Features of token ids (B, T) whose padding, to the right, has mask 0.

        (B, D), or (B, 2 D) of two `layers`.
        """
        if self.pooling != "layers":
            output = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
            return self._unit(output.last_hidden_state, attention_mask, self.pooling)
        output = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        )
        below = lower_layer(len(output.hidden_states) - 1)
        halves = [
            self._unit(states, attention_mask, "mean")
            for states in (output.last_hidden_state, output.hidden_states[below])
        ]
        return torch.cat(halves, dim=-1) / math.sqrt(2)

    @staticmethod
    def _unit(states: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
        return functional.normalize(pool(states.float(), attention_mask, pooling), dim=-1)


def lower_layer(num_layers: int) -> int:
    """The layer, from 1, whose states stand beside the last one's where `layers` are pooled.

    It lies a third of the depth below the top: what a text is about is in the last layer, how it
    is said further down, and a fit moves the last one most (BERT, Devlin et al. 2019, section 5.3,
    where joined upper layers are the best features of an encoder that is not tuned).
    """
    return max(1, num_layers - max(1, num_layers // 3))


def pool(states: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    """One vector (B, D) for each row of token states (B, T, D) of one layer, blind to padding."""
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        last = (attention_mask.sum(dim=1) - 1).clamp(min=0)
        return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[-1])).squeeze(1)
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
