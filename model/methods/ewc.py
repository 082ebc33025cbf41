"""Elastic weight consolidation: weights that mattered for older records move less.

`lambda / 2 sum_i F_i (w_i - w*_i)^2` (Kirkpatrick et al. 2017, eq. 3), in the online form of
Schwarz et al. (2018, "Progress & compress", section 4): one penalty around the latest weights, not
one for each task. F is the diagonal of the Fisher information, the mean over records of the squared
gradient of `log p(y | x)` with y drawn from the model's own answer. Each record has a backward pass
of its own: the square of a batch's mean gradient is another, smaller quantity. Our deviation:
instead of decaying the Fisher information of earlier tasks by gamma it is estimated anew at the
champion's weights, on the replayed records that the fit draws, which reach back as far as the log;
so there is no state between fits. The answer is the champion's, whatever form its head has.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.attention import plain_attention
from model.methods.base import FitContext, Objective, Weights
from model.methods.l2sp import Quadratic, starting_weights
from model.methods.teacher import Teacher


@dataclass(frozen=True, slots=True)
class ElasticWeights:
    """A penalty on the distance from the start, weighted by the Fisher information.

    Args:
        weight: lambda.
        fisher_records: most records that estimate the information.
    """

    weight: float
    fisher_records: int

    def objective(self, context: FitContext) -> Objective | None:
        """The penalty around the champion's weights; None where no older record is drawn."""
        if self.weight == 0 or context.teacher is None or len(context.teacher.taught) < 2:
            return None
        older = np.flatnonzero(context.replayed)
        if not len(older):
            return None
        rng = np.random.default_rng(context.seed)
        chosen = np.sort(rng.permutation(older)[: self.fisher_records])
        copied = context.start.clone()
        named = {f"encoder.{name}": each for name, each in copied.module.named_parameters()}
        answers = _log_likelihoods(
            Teacher(copied, context.teacher.head, [], context.teacher.taught.cpu().numpy()),
            [context.texts[index] for index in chosen],
            seed=context.seed,
        )
        with plain_attention(copied.module.transformer):
            importance = diagonal_fisher(answers, named)
        return Quadratic(starting_weights(context), importance, self.weight)


def diagonal_fisher(log_likelihoods: Iterable[Tensor], weights: Weights) -> dict[str, Tensor]:
    """The mean over records of the squared gradient of each record's log likelihood.

    Args:
        log_likelihoods: one scalar a record, with a graph to the weights.
        weights: leaves, by name.
    """
    squares = {name: torch.zeros_like(each) for name, each in weights.items()}
    count = 0
    for scalar in log_likelihoods:
        gradients = torch.autograd.grad(scalar, list(weights.values()), allow_unused=True)
        for total, gradient in zip(squares.values(), gradients, strict=True):
            if gradient is not None:
                total.addcmul_(gradient, gradient)
        count += 1
    return {name: total / max(1, count) for name, total in squares.items()}


def _log_likelihoods(champion: Teacher, texts: list[str], *, seed: int) -> Iterator[Tensor]:
    """Log p(y | x) of one text after the other, y drawn from the champion's answer to it."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    for row in champion.encoder.tokenize(texts):
        features = champion.encoder.module(*champion.encoder.padded([row]))
        log_scores = functional.log_softmax(champion.answers(features)[0], dim=0)
        drawn = torch.multinomial(log_scores.detach().exp().cpu(), 1, generator=generator)
        yield log_scores[int(drawn)]
