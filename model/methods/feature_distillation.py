"""Distillation on features: the candidate's features stay near the champion's.

`||f(x) - f*(x)||^2` between features of unit length, the mean over records, which is
`2 - 2 cos(f, f*)`: the less-forget constraint of Hou et al. (2019, "Learning a unified classifier
incrementally via rebalancing", eq. 6), times 2. Our deviation: the weight does not grow with the
number of labels.
"""

from dataclasses import dataclass

from torch import Tensor

from model.methods.base import FitBatch, FitContext, Objective


@dataclass(frozen=True, slots=True)
class FeatureDistillation:
    """The champion's features as targets.

    Args:
        weight: of the squared distance.
    """

    weight: float

    def objective(self, context: FitContext) -> Objective | None:
        """The loss against the champion's features, recorded now."""
        if self.weight == 0 or context.teacher is None:
            return None
        return _AgainstFeatures(context.teacher.features(), self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class _AgainstFeatures:
    features: Tensor
    """(N, D)."""
    weight: float

    def __call__(self, batch: FitBatch) -> Tensor:
        """The loss, shape ()."""
        distance = (batch.features - self.features[batch.records]).square().sum(dim=1)
        return self.weight * distance.mean()
