"""Continual-learning methods: one method, one file."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from model.config import MethodsConfig, TaskConfig
from model.methods.average import RunningAverage
from model.methods.base import (
    CrossEntropy,
    Draw,
    FitBatch,
    FitContext,
    Hook,
    Loss,
    Objective,
    Plan,
    Selection,
    StepHook,
    Transform,
)
from model.methods.contrastive import Contrastive
from model.methods.derpp import DarkExperience
from model.methods.distillation import Distillation
from model.methods.ewc import ElasticWeights
from model.methods.feature_distillation import FeatureDistillation
from model.methods.finetune import Newest
from model.methods.fusion import Fusion
from model.methods.importance import Weighted
from model.methods.l2sp import StartingPoint
from model.methods.pruning import Pruning
from model.methods.replay import Replay
from model.methods.slices import by_slice

__all__ = [
    "CrossEntropy",
    "Draw",
    "FitBatch",
    "FitContext",
    "Hook",
    "Loss",
    "Newest",
    "Objective",
    "Plan",
    "Replay",
    "Selection",
    "StepHook",
    "Transform",
    "methods_of",
]


def methods_of(config: TaskConfig, *, weights: Mapping[str, float] | None = None) -> Plan:
    """What a refresh of this task draws, minimises and makes of it.

    Args:
        config: of the task.
        weights: of older records by id, where the method draws by weight.
    """
    return Plan(
        draw=_draw(config, weights or {}),
        losses=tuple(_losses(config.methods)),
        hooks=tuple(_hooks(config.methods)),
        transforms=tuple(_transforms(config.methods)),
    )


def _draw(config: TaskConfig, weights: Mapping[str, float]) -> Draw:
    on = config.refresh
    if config.method == "finetune":
        return Newest(on.newest_records)
    replay = Replay(on.newest_records, on.replay_share, horizon_records=on.replay_horizon_records)
    match config.method:
        case "replay":
            return replay
        case "slices":
            return replace(replay, sample=by_slice)
        case "hard" | "leverage":
            return replace(replay, sample=Weighted(weights))


def _losses(on: MethodsConfig) -> Iterator[Loss]:
    if on.derpp:
        yield DarkExperience(on.derpp.alpha, on.derpp.beta)
    if on.distillation:
        yield Distillation(on.distillation.weight, on.distillation.temperature)
    if on.feature_distillation:
        yield FeatureDistillation(on.feature_distillation.weight)
    if on.ewc:
        yield ElasticWeights(on.ewc.weight, on.ewc.fisher_records)
    if on.l2sp:
        yield StartingPoint(on.l2sp.weight)
    if on.contrastive:
        yield Contrastive(on.contrastive.weight, on.contrastive.temperature)


def _hooks(on: MethodsConfig) -> Iterator[Hook]:
    """Averaging first: what it writes at the end is pruned like everything else."""
    if on.average:
        yield RunningAverage(on.average.kind, on.average.share, on.average.decay)
    if on.pruning:
        yield Pruning(on.pruning.sparsity, on.pruning.reached_after)


def _transforms(on: MethodsConfig) -> Iterator[Transform]:
    if on.fusion:
        yield Fusion(on.fusion.alphas)
