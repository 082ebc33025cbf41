"""What the training role and its worker process say to each other: one JSON object a line."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from consumers.settings import Settings, TasksFile
from model.lineage import LineageEntry
from schemas.base import TaskName
from schemas.window import TrainingWindow


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Start(_Message):
    """The first line: the settings of the role. Answered by `Ready` once models are loaded."""

    type: Literal["start"] = "start"
    settings: Settings
    tasks_file: TasksFile

    def whole_settings(self) -> Settings:
        """The settings with the tasks of the YAML file, as the role read them."""
        return self.settings.model_copy(update={"tasks_file": self.tasks_file})


class Tip(_Message):
    """Which entry is the task's last? Answered by `Committed`, empty for a new task."""

    type: Literal["tip"] = "tip"
    task: TaskName


class Learn(_Message):
    """Learn these windows, oldest first. Answered by `Committed`."""

    type: Literal["learn"] = "learn"
    task: TaskName
    windows: tuple[TrainingWindow, ...]


class Refresh(_Message):
    """Refresh the encoder. Answered by `Committed`."""

    type: Literal["refresh"] = "refresh"
    task: TaskName
    why: str


class GiveUp(_Message):
    """Write down that these windows cannot be learned. Answered by `Committed`."""

    type: Literal["give_up"] = "give_up"
    task: TaskName
    windows: tuple[TrainingWindow, ...]
    reason: str


Request = Annotated[Tip | Learn | Refresh | GiveUp, Field(discriminator="type")]


class Ready(_Message):
    """The worker has its models loaded."""

    type: Literal["ready"] = "ready"


class Advanced(_Message):
    """The worker is at work; sent as often as there is news."""

    type: Literal["advanced"] = "advanced"
    stage: str
    fields: dict[str, Any]


class Committed(_Message):
    """Done. `entry` is empty where an earlier entry accounts for all that was asked."""

    type: Literal["committed"] = "committed"
    entry: LineageEntry | None
    refresh_due: str | None
    """Why the encoder should be refreshed now, if it should."""


class Failed(_Message):
    """Not done, for a reason that the worker knows; it goes on."""

    type: Literal["failed"] = "failed"
    fate: Literal["retry", "reject", "stop"]
    error: str
    """Name of the class."""
    message: str
    tip_moved: bool = False


Reply = Annotated[Ready | Advanced | Committed | Failed, Field(discriminator="type")]

REQUEST: TypeAdapter[Tip | Learn | Refresh | GiveUp] = TypeAdapter(Request)
REPLY: TypeAdapter[Ready | Advanced | Committed | Failed] = TypeAdapter(Reply)
