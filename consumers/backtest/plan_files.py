"""Finds the plans that `--compare` names: known ones, and YAML files of configuration."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from consumers.backtest.table import JOINT
from consumers.tasks_file import TasksFile
from consumers.yaml_files import NotYamlError, read_yaml
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
    return made_plan(path.stem, _settings(path), config, options)


def _settings(path: Path) -> dict[str, Any]:
    try:
        held = read_yaml(path)
    except OSError as error:
        raise ConfigError(f"plan {path}: cannot be read: {error.strerror or error}") from error
    except NotYamlError as error:
        raise ConfigError(f"plan {path}: {error}") from error
    if not isinstance(held, dict):
        raise ConfigError(f"plan {path}: holds no mapping of settings")
    if sections := [section for section in TasksFile.model_fields if section in held]:
        raise ConfigError(
            f"plan {path}: has {' and '.join(sections)}, as a file for --config has; a plan holds "
            "the settings of one task at top level, such as `fit: {epochs: 2}`"
        )
    return held
