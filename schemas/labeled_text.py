"""One labeled text of the stream, and one text that asks for a label."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
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


REDRIVEN_FROM = "freshet-redriven-from"
"""Header of a record that was sent again: `topic/partition/offset` of where it first stood."""
_PLACE = re.compile(rb"[A-Za-z0-9._-]{1,150}/[0-9]{1,10}/[0-9]{1,19}")

Headers = Sequence[tuple[str, bytes | None]]


def record_id(
    given: str | None, *, topic: str, partition: int, offset: int, headers: Headers = ()
) -> str:
    """Its own id, else where it stands in the log, or first stood before it was sent again.

    So a record keeps its id however often it is sent again, and is learned once.
    """
    if given is not None:
        return given
    for name, value in headers:
        if name == REDRIVEN_FROM and value is not None and _PLACE.fullmatch(value):
            return value.decode("ascii")
    return f"{topic}/{partition}/{offset}"


MAX_AHEAD_SECONDS = 60.0
"""An event time further past the broker's append time is not believed."""
_FIRST_SECONDS = datetime(1, 1, 2, tzinfo=UTC).timestamp()
"""An earlier event time may have no counterpart in UTC, and is not believed either."""


def event_time(given: datetime | None, *, appended_at: datetime) -> datetime:
    """Its own time, unless it is over `MAX_AHEAD_SECONDS` past the broker's; else the broker's."""
    if given is None or not _believed(given.timestamp(), appended_at.timestamp()):
        return appended_at
    return given


def event_seconds(given: datetime | None, *, appended_seconds: float) -> float:
    """`event_time` in seconds since 1970: most records have none, and a datetime costs."""
    if given is None:
        return appended_seconds
    seconds = given.timestamp()
    return seconds if _believed(seconds, appended_seconds) else appended_seconds


def _believed(seconds: float, appended_seconds: float) -> bool:
    return _FIRST_SECONDS <= seconds <= appended_seconds + MAX_AHEAD_SECONDS
