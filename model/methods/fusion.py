"""Weight fusion: the proposal lies between the champion and the fitted model.

`w = (1 - alpha) w_champion + alpha w_fitted` over all weights, head included (WiSE-FT, Wortsman et
al. 2022, "Robust fine-tuning of zero-shot models", eq. 1). Our deviation: alpha is not a constant,
it is the one of a few whose model has most selection records right, of equals the one of least log
loss; it is judged with the softmax head of the fit also where a solved head will serve. Without
selection records the last alpha stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from model.encoder import Encoder
from model.head import LinearHead
from model.methods.base import FitContext, Selection


@dataclass(frozen=True, slots=True)
class Fusion:
    """Interpolation of champion and candidate.

    Args:
        alphas: shares of the candidate to choose among, in (0, 1].
    """

    alphas: tuple[float, ...]

    def __call__(
        self, context: FitContext, encoder: Encoder, head: LinearHead
    ) -> tuple[Encoder, LinearHead]:
        """The best of the alphas."""
        fused = [interpolated(context, encoder, head, alpha) for alpha in self.alphas]
        if context.selection is None:
            return fused[-1]
        selection = context.selection

        def merit(model: tuple[Encoder, LinearHead]) -> tuple[int, float]:
            return _merit(*model, selection)

        return max(fused, key=merit)


def interpolated(
    context: FitContext, encoder: Encoder, head: LinearHead, alpha: float
) -> tuple[Encoder, LinearHead]:
    """`(1 - alpha)` of the fit's start and `alpha` of its end."""
    mixed = encoder.clone()
    _mix(
        dict(mixed.module.named_parameters()),
        dict(context.start.module.named_parameters()),
        alpha,
    )
    start = context.start_head
    kept = 0.0 if start is None else 1 - alpha
    before = head if start is None else start
    weight = alpha * head.weight + kept * before.weight
    bias = alpha * head.bias + kept * before.bias
    return mixed, replace(head, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


@torch.no_grad()
def _mix(weights: Mapping[str, Tensor], start: Mapping[str, Tensor], alpha: float) -> None:
    for name, weight in weights.items():
        # Towards the start from the end, so that an alpha of 1 leaves every bit as it is.
        weight.lerp_(start[name], 1 - alpha)


def _merit(encoder: Encoder, head: LinearHead, selection: Selection) -> tuple[int, float]:
    scores = head.scores(encoder.features(list(selection.texts)))
    right = int((scores.argmax(axis=1) == selection.targets).sum())
    likely = scores[np.arange(len(selection.targets)), selection.targets]
    return right, float(np.log(np.maximum(likely, 1e-12)).mean())
