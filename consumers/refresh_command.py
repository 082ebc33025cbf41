"""`freshet refresh`: asks the train role to refresh an encoder now."""

from consumers.settings import Settings
from consumers.task_command import give_command
from schemas.control import Action


def ask_for_refresh(settings: Settings, task: str, *, who: str | None, why: str) -> str:
    """Publish the command, and say so once the broker has it; see `give_command`."""
    mind = give_command(settings, Action.REFRESH, task, who=who, why=why)
    told = f"{task}: the train role is asked for a refresh; see `freshet models list {task}`"
    return told if mind is None else f"{told}\n{mind}"
