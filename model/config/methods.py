"""Settings of the continual-learning methods that a refresh may combine; none is on by default.

A method is on where its section is there: `methods: {distillation: {weight: 0.5}}`.
"""

from typing import Annotated, Literal

from pydantic import Field

from model.config.base import AtLeastOne, Config, Positive

Weight = Annotated[float, Field(ge=0)]


class DistillationConfig(Config):
    """Learning without forgetting: the champion's answers, softened."""

    weight: Weight = 1.0
    """0 switches it off."""
    temperature: Positive = 2.0
    """Of both softmaxes."""


class FeatureDistillationConfig(Config):
    """The champion's features."""

    weight: Weight = 10.0
    """Of the squared distance between two features of unit length, between 0 and 4."""


class DerConfig(Config):
    """Dark experience replay, DER++."""

    alpha: Weight = 0.1
    """Weight of the distance between logits on replayed records."""
    beta: Weight = 0.5
    """Weight of the labels of replayed records, beside that of the whole batch."""


class EwcConfig(Config):
    """Elastic weight consolidation."""

    weight: Weight = 1000.0
    """Lambda."""
    fisher_records: AtLeastOne = 128
    """Records whose gradients estimate the Fisher information, one backward pass each."""


class L2SpConfig(Config):
    """A penalty on the distance from where the fit starts."""

    weight: Weight = 0.01
    """Alpha."""


class ContrastiveConfig(Config):
    """Supervised contrastive loss beside cross-entropy."""

    weight: Weight = 0.1
    """Of the contrastive loss; that of cross-entropy is 1."""
    temperature: Positive = 0.1
    """Of the cosines between features."""


class FusionConfig(Config):
    """Interpolation between the champion's weights and the candidate's."""

    alphas: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.25, 0.5, 0.75, 1.0)
    """Shares of the candidate that are tried on selection records; the last stands without any."""


class AverageConfig(Config):
    """A running average of the weights over the fit."""

    kind: Literal["tail", "exponential"] = "tail"
    """`tail` is the mean over the last steps, `exponential` weighs later steps more."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Last share of the steps that `tail` averages."""
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Of `exponential`, for each step."""


class PruningConfig(Config):
    """Small weights become zero and stay it."""

    sparsity: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of zeros in each matrix of the transformer's layers that is fitted, at the end of the
    fit."""
    reached_after: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Share of the steps over which the sparsity grows."""


class MethodsConfig(Config):
    """The methods of a refresh; those that are given work together."""

    derpp: DerConfig | None = None
    distillation: DistillationConfig | None = None
    feature_distillation: FeatureDistillationConfig | None = None
    ewc: EwcConfig | None = None
    l2sp: L2SpConfig | None = None
    contrastive: ContrastiveConfig | None = None
    fusion: FusionConfig | None = None
    average: AverageConfig | None = None
    pruning: PruningConfig | None = None
