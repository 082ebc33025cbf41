"""With which settings a command works on a task."""

from consumers.settings import Settings
from model.config import TaskConfig
from model.lineage_entry import LineageEntry


def config_of(settings: Settings, task: str, tip: LineageEntry | None) -> TaskConfig:
    """Those of the tasks file; without one those of the task's last round.

    So a person who has no file at hand neither cuts what the roles keep nor writes other settings
    into the lineage.
    """
    if settings.config is None and tip is not None:
        return tip.config
    return settings.task(task)
