"""Gives a command about one task to the roles, on `control`."""

from pydantic import TypeAdapter, ValidationError

from consumers.produce import TextProducer
from consumers.settings import Settings
from consumers.who import this_user
from model.artifacts import ArtifactStore
from model.errors import ConfigError, FreshetError
from model.lineage import Lineage, no_lineage
from schemas.base import TaskName
from schemas.control import Action
from schemas.topics import CONTROL


def give_command(
    settings: Settings, action: Action, task: str, *, who: str | None, why: str
) -> str | None:
    """Publish a command, and return once the broker has it.

    Args:
        settings: broker, and which tasks there are.
        action: what is to be done.
        task: whom it concerns.
        who: asks for it; None is the user who runs this.
        why: in their words.

    Returns:
        A note where the store has no lineage of the task. The command was sent all the same: a
        task may be paused before its first round.

    Raises:
        ConfigError: there can be no such task.
        ProduceError: the broker does not take it.
        MissingTopicError: the topic of commands was not made yet.
    """
    _check_task(settings, task)
    with TextProducer(settings, who=who or this_user(), topics=[CONTROL]) as producer:
        producer.send_command(action, task, why=why)
    return _unknown(settings, task)


def _unknown(settings: Settings, task: str) -> str | None:
    try:
        store = ArtifactStore(settings.store, must_exist=True)
        if Lineage(store, task).tip() is not None:
            return None
        return f"note: {no_lineage(store, task)}; the command was sent"
    except FreshetError:  # who may command need not see the store
        return None


def _check_task(settings: Settings, task: str) -> None:
    try:
        TypeAdapter(TaskName).validate_python(task)
    except ValidationError as error:
        raise ConfigError(f"{task!r} is no name of a task: {error.errors()[0]['msg']}") from error
    if not settings.knows(task):
        raise ConfigError(f"there is no task {task!r} in {settings.config}, and strict_tasks is on")
