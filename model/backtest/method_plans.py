"""Names of plans, as configuration: what a comparison of methods starts from.

`finetune` and `replay` are the baselines of the literature: a trained softmax head, fitted after
every window. Every other name is the default plan with one method more.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_SOFTMAX = {"head": {"form": "softmax"}}

PLANS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "finetune": {"method": "finetune", **_SOFTMAX},
        "replay": {"method": "replay", **_SOFTMAX},
        "derpp": {"methods": {"derpp": {}}},
        "lwf": {"methods": {"distillation": {}}},
        "feature_distill": {"methods": {"feature_distillation": {}}},
        "ewc": {"methods": {"ewc": {}}},
        "l2sp": {"methods": {"l2sp": {}}},
        "supcon": {"methods": {"contrastive": {}}},
        "fusion": {"methods": {"fusion": {}}},
        "average": {"methods": {"average": {}}},
        "pruned": {"methods": {"pruning": {}}},
        "lora": {"fit": {"lora_rank": 16, "learning_rate": 1e-3}},
        "last_layers": {"fit": {"trained_layers": 3}},
    }
)
"""Overrides of a task's configuration by name, nested as it is."""


def named(name: str) -> dict[str, Any]:
    """The overrides of a plan, to be merged into a task's configuration.

    Raises:
        ValueError: there is no plan of that name.
    """
    if name not in PLANS:
        raise ValueError(f"no plan is named {name!r}; there are {', '.join(PLANS)}")
    return {
        key: dict(value) if isinstance(value, Mapping) else value
        for key, value in PLANS[name].items()
    }
