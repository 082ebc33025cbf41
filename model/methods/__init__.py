"""Continual-learning methods: one method, one file, and the plans that name them."""

from model.config import TaskConfig
from model.methods.base import CrossEntropy, Draw, FitBatch, Objective, Plan
from model.methods.finetune import Newest
from model.methods.replay import Replay

__all__ = [
    "CrossEntropy",
    "Draw",
    "FitBatch",
    "Newest",
    "Objective",
    "Plan",
    "Replay",
    "methods_of",
]


def methods_of(config: TaskConfig) -> Plan:
    """What a refresh of this task draws and minimises."""
    refresh = config.refresh
    draws: dict[str, Draw] = {
        "finetune": Newest(refresh.newest_records),
        "replay": Replay(refresh.newest_records, refresh.replay_share),
    }
    return Plan(draws[config.method], (CrossEntropy(),))
