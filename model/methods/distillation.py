"""Learning without forgetting: the candidate keeps giving the champion's answers.

LwF of Li and Hoiem (2017, "Learning without forgetting", eq. 2): on the texts of the new task the
softened answers of the old model, recorded before the fit, are targets of a second cross-entropy
with temperature T = 2. Here it is the divergence from them, `T^2 KL(p_T || q_T)` (the factor after
Hinton et al. 2015 keeps its gradient's size at any T), over the labels that the champion knows, on
every record of the fit, new or replayed. Our deviation: the champion's head may be a solved one,
whose scores at its fitted temperature are then the targets of the softmax head of the fit.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from model.methods.base import FitBatch, FitContext, Objective


@dataclass(frozen=True, slots=True)
class Distillation:
    """The champion's softened answers as targets.

    Args:
        weight: of the loss.
        temperature: T, above 0.
    """

    weight: float
    temperature: float

    def objective(self, context: FitContext) -> Objective | None:
        """The loss against the champion's answers, recorded now."""
        if self.weight == 0 or context.teacher is None or len(context.teacher.taught) < 2:
            return None
        soft = functional.log_softmax(context.teacher.logits() / self.temperature, dim=1)
        return _AgainstAnswers(soft, context.teacher.taught, self.weight, self.temperature)


@dataclass(frozen=True, slots=True, eq=False)
class _AgainstAnswers:
    soft: Tensor
    """(N, C') log probabilities."""
    taught: Tensor
    weight: float
    temperature: float

    def __call__(self, batch: FitBatch) -> Tensor:
        """The loss, shape ()."""
        ours = functional.log_softmax(batch.logits[:, self.taught] / self.temperature, dim=1)
        theirs = self.soft[batch.records]
        divergence = functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        return self.weight * self.temperature**2 * divergence
