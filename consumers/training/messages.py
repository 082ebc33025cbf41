"""What the training role and its worker process say to each other: one JSON object a line."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from consumers.settings import Settings, TasksFile
from model.lineage_entry import LineageEntry
from schemas.base import TaskName
from schemas.window import TrainingWindow


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Start(_Message):
    """The first line: the settings of the role.

    Answered by `Ready` once models are loaded, or by `Failed`: then it is to be ended.
    """

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


class _Round(_Message):
    """Extends a lineage, and that only behind the entry that was announced last."""

    task: TaskName
    announced: int = -1
    """Its sequence; -1 for none. Where the tip is another, the answer is `Failed` (tip moved)."""


class Learn(_Round):
    """Learn these windows, oldest first. Answered by `Committed`."""

    type: Literal["learn"] = "learn"
    windows: tuple[TrainingWindow, ...]


class Refresh(_Round):
    """Refresh the encoder, if that is still due. Answered by `Committed`."""

    type: Literal["refresh"] = "refresh"
    why: str
    commanded_at: AwareDatetime | None = None
    """When somebody commanded it; it is then due unless one ended since. None: nobody did."""
    erases: bool = False
    """It is to start from an encoder that was never tuned on what is denied, where the champion's
    was; until then it is due."""


class GiveUp(_Round):
    """Write down that these windows cannot be learned. Answered by `Committed`."""

    type: Literal["give_up"] = "give_up"
    windows: tuple[TrainingWindow, ...]
    reason: str


class GiveUpRefresh(_Round):
    """Write down that a refresh failed, so that it is not due at once. Answered by `Committed`."""

    type: Literal["give_up_refresh"] = "give_up_refresh"
    reason: str


Round = Learn | Refresh | GiveUp | GiveUpRefresh
Request = Annotated[Tip | Round, Field(discriminator="type")]


class Ready(_Message):
    """The worker has its models loaded."""

    type: Literal["ready"] = "ready"


class Advanced(_Message):
    """The worker is at work; sent as often as there is news."""

    type: Literal["advanced"] = "advanced"
    stage: str
    fields: dict[str, Any]


class Beat(_Message):
    """The worker computes, whether or not there is news."""

    type: Literal["beat"] = "beat"


class Committed(_Message):
    """Done. `entry` is empty where an earlier entry accounts for all that was asked."""

    type: Literal["committed"] = "committed"
    entry: LineageEntry | None
    before: tuple[LineageEntry, ...] = ()
    """The tip: entries that commands may have been written behind before they were announced,
    oldest first."""
    refresh_due: str | None
    """Why the encoder should be refreshed now, if it should."""
    again: bool = False
    """What was asked is not done yet: a rollback came first, to be announced; ask again."""
    too_early: bool = False
    """A refresh by command: the task has not seen two labels yet; ask again when it learned."""


class Failed(_Message):
    """Not done, for a reason that the worker knows; it goes on."""

    type: Literal["failed"] = "failed"
    fate: Literal["retry", "reject", "hold", "stop"]
    """As `model.errors` has it; `hold`: nothing of this task goes well until its files are mended.
    """
    error: str
    """Name of the class."""
    message: str
    tip_moved: bool = False


Reply = Annotated[Ready | Advanced | Beat | Committed | Failed, Field(discriminator="type")]

REQUEST: TypeAdapter[Tip | Round] = TypeAdapter(Request)
REPLY: TypeAdapter[Ready | Advanced | Beat | Committed | Failed] = TypeAdapter(Reply)
