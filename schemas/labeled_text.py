"""One labeled text of the stream, and one text that asks for a label."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

from schemas.base import Label, TaskName


def _says_something(text: str) -> str:
    if not text.strip():
        msg = "must not be empty"
        raise ValueError(msg)
    return text


Text = Annotated[str, AfterValidator(_says_something)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class LabeledText(BaseModel):
    """A text with its label, as producers write it on `labeled-texts`.

    `id` defaults to `topic/partition/offset` and `event_time` to the broker's timestamp; both are
    filled in by whoever knows them, so they are optional here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    id: Id | None = None
    task: TaskName
    text: Text
    label: Label
    event_time: AwareDatetime | None = None
    source: Annotated[str, StringConstraints(max_length=200)] | None = None

    def encode(self) -> bytes:
        """The JSON value for the topic."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def decode(cls, raw: bytes | str) -> "LabeledText":
        """Read one value, ignoring unknown fields.

        Raises:
            pydantic.ValidationError: it is not JSON or does not fit the schema.
        """
        # What model_validate_json calls; that takes a quarter of the time for its own arguments.
        text: LabeledText = cls.__pydantic_validator__.validate_json(raw, extra="ignore")
        return text


class TextToClassify(BaseModel):
    """A text that asks for a label, as services write it on `texts`."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    id: Id | None = None
    task: TaskName
    text: Text
    sent_at: AwareDatetime | None = None

    def encode(self) -> bytes:
        """The JSON value for the topic."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def decode(cls, raw: bytes | str) -> "TextToClassify":
        """Read one value, ignoring unknown fields.

        Raises:
            pydantic.ValidationError: it is not JSON or does not fit the schema.
        """
        return cls.model_validate_json(raw, extra="ignore")


def record_id(given: str | None, *, topic: str, partition: int, offset: int) -> str:
    """Its own id, else where it stands in the log."""
    return given if given is not None else f"{topic}/{partition}/{offset}"


MAX_AHEAD_SECONDS = 60.0
"""An event time further past the broker's append time is not believed."""


def event_time(given: datetime | None, *, appended_at: datetime) -> datetime:
    """Its own time, unless it is over `MAX_AHEAD_SECONDS` past the broker's; else the broker's."""
    if given is None:
        return appended_at
    ahead = (given - appended_at).total_seconds()
    return appended_at if ahead > MAX_AHEAD_SECONDS else given


def event_seconds(given: datetime | None, *, appended_seconds: float) -> float:
    """`event_time` in seconds since 1970: most records have none, and a datetime costs."""
    if given is None:
        return appended_seconds
    seconds = given.timestamp()
    return appended_seconds if seconds - appended_seconds > MAX_AHEAD_SECONDS else seconds
