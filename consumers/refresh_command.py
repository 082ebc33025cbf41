"""`freshet refresh`: asks the train role to refresh an encoder now."""

from pydantic import TypeAdapter, ValidationError

from consumers.produce import TextProducer
from consumers.settings import Settings
from consumers.who import this_user
from model.errors import ConfigError
from schemas.base import TaskName
from schemas.control import Action


def ask_for_refresh(settings: Settings, task: str, *, who: str | None, why: str) -> str:
    """Publish the command, and say so once the broker has it.

    Args:
        settings: broker, and which tasks there are.
        task: whose encoder.
        who: asks for it; None is the user who runs this.
        why: in their words; both stand in the lineage.

    Raises:
        ConfigError: there can be no such task.
        ProduceError: the broker does not take it.
    """
    _check_task(settings, task)
    with TextProducer(settings, who=who or this_user()) as producer:
        producer.send_command(Action.REFRESH, task, why=why)
    return f"{task}: the train role is asked for a refresh; see `freshet models list {task}`"


def _check_task(settings: Settings, task: str) -> None:
    try:
        TypeAdapter(TaskName).validate_python(task)
    except ValidationError as error:
        raise ConfigError(f"{task!r} is no name of a task: {error.errors()[0]['msg']}") from error
    if not settings.knows(task):
        raise ConfigError(f"there is no task {task!r} in {settings.config}, and strict_tasks is on")
