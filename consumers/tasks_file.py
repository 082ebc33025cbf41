"""The YAML file that says how each task learns, and every fault in it at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consumers.yaml_files import NotYamlError, read_yaml
from model.config import TaskConfig
from model.setting_faults import described, nearly
from schemas.base import TaskName


class TasksFile(BaseModel):
    """The YAML file: `defaults` for every task, and per task what differs from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: dict[str, Any] = Field(default_factory=dict)
    tasks: dict[TaskName, dict[str, Any] | None] = Field(default_factory=dict)

    def merged(self, task: str) -> dict[str, Any]:
        """What the file says of a task: the defaults, overridden by what differs."""
        return _deep_merge(self.defaults, self.tasks.get(task) or {})


def read_tasks(path: Path) -> tuple[TasksFile, list[str]]:
    """Read the file; every fault comes back beside it, a line each.

    A fault in its structure (an unknown section, a name that no task can have) hides none inside
    its sections. What is read is to be used only where there is no fault.
    """
    try:
        raw = read_yaml(path)
    except OSError as error:
        return TasksFile(), [
            f"{path}: {error.strerror or error} (the file of the tasks, FRESHET_CONFIG or --config)"
        ]
    except NotYamlError as error:
        return TasksFile(), [f"{path}: {error}"]
    where, faults = f"{path}: ", []
    try:
        file = TasksFile.model_validate(raw)
    except ValidationError as error:
        faults = [described(each, where) + nearly(each, TasksFile) for each in error.errors()]
        file = _well_formed(raw)
    return file, [*faults, *_inside(file, where)]


def _well_formed(raw: Any) -> TasksFile:
    """The sections that are mappings, also of tasks whose names are at fault."""
    if not isinstance(raw, dict):
        return TasksFile()
    tasks = _mapping(raw.get("tasks"))
    return TasksFile.model_construct(
        defaults=_mapping(raw.get("defaults")),
        tasks={str(name): _mapping(own) for name, own in tasks.items()},
    )


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _inside(file: TasksFile, where: str) -> Iterator[str]:
    """Faults of the defaults, and of each task those that it does not only inherit."""
    general = _faults(file.defaults)
    yield from (_told(fault, f"{where}defaults: ") for fault in general)
    inherited = {_what(fault) for fault in general}
    for name, own in file.tasks.items():
        for fault in _faults(file.merged(name)):
            if _what(fault) not in inherited or _gives(own or {}, fault["loc"]):
                yield _told(fault, f"{where}{name}: ")


def _faults(config: Mapping[str, Any]) -> list[Any]:
    try:
        TaskConfig.model_validate(config)
    except ValidationError as error:
        return error.errors()
    return []


def _told(fault: Any, where: str) -> str:
    return described(fault, where) + nearly(fault, TaskConfig)


def _what(fault: Any) -> tuple[Any, ...]:
    return fault["loc"], fault["type"], fault["msg"]


def _gives(own: Any, loc: tuple[str | int, ...]) -> bool:
    """Whether the value at a place is a task's own; a mapping is merged, never taken whole."""
    for part in loc:
        if not isinstance(own, dict):
            break
        if part not in own:
            return False
        own = own[part]
    return not isinstance(own, dict)


def _deep_merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        both = isinstance(held, dict) and isinstance(value, dict)
        merged[key] = _deep_merge(held, value) if both else value  # type: ignore[arg-type]
    return merged
