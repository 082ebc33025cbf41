"""The plans that a backtest compares, each what it changes in a task's configuration.

`naive` and `replay` are the baselines of the field, fitted after every window with the full encoder
and a trained softmax head; they record what the gate says without obeying it, and neither feedback
nor the monitor helps them. They keep the task's encoder, learning rates, batch size and epochs, but
none of its methods, frozen layers, adapters, early stops and budgets: `naive` is plain fine-tuning
whatever the task does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from model.backtest import method_plans as methods
from model.config import FitConfig, MethodsConfig, RefreshConfig, TaskConfig
from model.errors import ConfigError
from model.setting_faults import described, nearly
from model.spelling import meant

DEFAULT_WINDOW = 500
"""Records in a window where nobody says."""

Overrides = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """A name and the configuration that it stands for."""

    name: str
    config: TaskConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the user asks of every plan."""

    window: int | None = None
    """Records in a window; None leaves it to the plan and the task."""
    memory: int
    """Records in the replay memory of the plan `replay`, and of every plan under `no_log`."""
    epochs: int | None = None
    """Of every fit; None leaves it to the configuration."""
    no_log: bool = False
    """Older records come from the memory alone."""


def window_records(config: TaskConfig, options: PlanOptions) -> int:
    """Records in a window of each plan that sets none: as asked, as the task's file says, or 500.

    The task's own default does not count: it suits a stream that is served meanwhile.
    """
    if options.window is not None:
        return options.window
    told = "records" in config.window.model_fields_set
    return config.window.records if told else DEFAULT_WINDOW


def known_plans() -> tuple[str, ...]:
    """Every name that is a plan; beside these, a YAML file is one."""
    return tuple(dict.fromkeys(("default", "head", "naive", "replay", *methods.PLANS, *_draws())))


def named_plan(name: str, config: TaskConfig, options: PlanOptions) -> BacktestPlan:
    """The plan of this name over the task's configuration.

    Raises:
        ConfigError: there is none, with all names, or its configuration cannot work.
    """
    if name not in known_plans():
        known = ", ".join(known_plans())
        raise ConfigError(
            f"no plan {name!r}: a plan is a YAML file (.yaml, .yml) or one of {known}"
            f"{meant(name, known_plans())}"
        )
    return made_plan(name, _overrides(name, config, options), config, options)


def made_plan(
    name: str, overrides: Overrides, config: TaskConfig, options: PlanOptions
) -> BacktestPlan:
    """A plan of its own: overrides of the task's configuration, then what the user asked of all.

    Raises:
        ConfigError: the configuration cannot work, with every fault.
    """
    window: Overrides = {"window": {"records": window_records(config, options)}}
    asked: list[Overrides] = [] if options.window is None else [window]
    if options.epochs is not None:
        asked.append({"fit": {"epochs": options.epochs}})
    below: list[Overrides] = [config.model_dump(mode="json"), window]
    if options.no_log:
        # `naive` and a file may want another memory; the log stays closed to all of them.
        below.append(_memory_alone(options.memory))
        asked.append({"refresh": {"read_log": False}})
    layers = [*below, overrides, *asked]
    try:
        return BacktestPlan(name, TaskConfig.model_validate(overlaid(layers)))
    except ValidationError as error:
        faults = [described(fault) + nearly(fault, TaskConfig) for fault in error.errors()]
        raise ConfigError("\n  - ".join([f"plan {name} cannot work:", *faults])) from error


def overlaid(layers: Sequence[Overrides]) -> dict[str, Any]:
    """Nested mappings laid over each other, the last on top."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            held = merged.get(key)
            both = isinstance(held, Mapping) and isinstance(value, Mapping)
            merged[key] = overlaid([held, value]) if both else value  # type: ignore[list-item]
    return merged


def _overrides(name: str, config: TaskConfig, options: PlanOptions) -> Overrides:
    window = window_records(config, options)
    match name:
        case "default":
            return {}
        case "head":
            return {"refresh": {"enabled": False}}
        case "naive":
            return _baseline(window, method="finetune", memory=0)
        case "replay":
            return _baseline(window, method="replay", memory=options.memory)
        case _:
            return methods.named(name) if name in methods.PLANS else {"method": name}


def _baseline(window: int, *, method: str, memory: int) -> Overrides:
    """Fine-tuning after every window, on the window alone or with as many from the memory."""
    refresh = {"enabled": True, "newest_records": window, "replay_share": 0.5}
    refresh |= _defaults(RefreshConfig(), "budget_sample_steps", "budget_seconds")
    own: Overrides = {
        "method": method,
        "head": {"form": "softmax"},
        "refresh": refresh,
        "fit": _defaults(FitConfig(), "frozen_layers", "trained_layers", "lora_rank", "early_stop"),
        "methods": MethodsConfig().model_dump(),
        "gate": {"obey": False},
        # Where a fit forgets, feedback would distil from the champion, the monitor take it back.
        "feedback": {"enabled": False},
        "monitor": {"enabled": False},
    }
    return overlaid([own, _memory_alone(memory)])


def _defaults(part: FitConfig | RefreshConfig, *names: str) -> dict[str, Any]:
    return {name: getattr(part, name) for name in names}


def _memory_alone(records: int) -> Overrides:
    return {"refresh": {"read_log": False}, "replay_memory": {"records": records}}


def _draws() -> tuple[str, ...]:
    """Ways to choose the records of a fit, each a plan of its own."""
    draws: tuple[str, ...] = get_args(TaskConfig.model_fields["method"].annotation)
    return draws
