"""Finds the plans that `--compare` names: known ones, and YAML files of configuration."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from consumers.backtest.table import JOINT
from model.backtest.plans import BacktestPlan, PlanOptions, known_plans, made_plan, named_plan
from model.config import TaskConfig
from model.errors import ConfigError

_SUFFIXES = {".yaml", ".yml"}


def chosen_plans(
    names: Iterable[str], config: TaskConfig, options: PlanOptions
) -> list[BacktestPlan]:
    """The plans in the order in which they were named.

    Raises:
        ConfigError: a name or a file is not a plan, two plans have one name, or a configuration
            cannot work.
    """
    plans: dict[str, BacktestPlan] = {}
    for name in names:
        plan = _chosen(name, config, options)
        if plan.name in plans or (plan.name != name and plan.name in known_plans()):
            raise ConfigError(
                f"two plans are called {plan.name!r}: name each once, and a file unlike any plan"
            )
        if plan.name == JOINT:
            raise ConfigError(f"plan {name}: {JOINT} is what --joint is called: rename the file")
        plans[plan.name] = plan
    return list(plans.values())


def _chosen(name: str, config: TaskConfig, options: PlanOptions) -> BacktestPlan:
    path = Path(name)
    if path.suffix.lower() not in _SUFFIXES:
        return named_plan(name, config, options)
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ConfigError(f"plan {name}: cannot be read: {error}") from error
    if not isinstance(held, dict):
        raise ConfigError(f"plan {name}: holds no mapping of settings")
    return made_plan(path.stem, held, config, options)
