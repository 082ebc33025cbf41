"""`freshet refresh`: asks the train role to refresh an encoder now."""

from consumers.settings import Settings
from consumers.task_command import give_command
from schemas.control import Action


def ask_for_refresh(
    settings: Settings, task: str, *, who: str | None, why: str
) -> tuple[str, str | None]:
    """Publish the command; what to say once the broker has it, and the note of `give_command`."""
    note = give_command(settings, Action.REFRESH, task, who=who, why=why)
    told = f"{task}: the train role is asked for a refresh; see `freshet models list {task}`"
    return told, note
