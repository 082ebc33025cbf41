"""Commands to the roles, on the topic `control`: who asked for what, why and when."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import AwareDatetime

from schemas.base import Event, TaskName


class Action(StrEnum):
    """What a command asks for."""

    CLOSE = "close"
    """Close the task's open windows now."""
    REFRESH = "refresh"
    """Refresh the task's encoder now."""
    PAUSE = "pause"
    """Learn nothing of the task until it is resumed; its windows wait."""
    RESUME = "resume"
    """Learn it again."""
    FORGET = "forget"
    """Refresh the task's encoder without what its lineage denies, from one never tuned on it."""


class Command(Event):
    """A request to every role that it concerns; each obeys for the partitions that it holds."""

    event_type: ClassVar[str] = "command_given"
    type: Literal["command"] = "command"
    schema_version: Literal[1] = 1

    command_id: str
    action: Action
    task: TaskName
    who: str
    why: str
    given_at: AwareDatetime

    @property
    def event_id(self) -> str:
        """The command's id: a command read twice is obeyed once."""
        return self.command_id

    @property
    def happened_at(self) -> datetime:
        """When it was given."""
        return self.given_at
