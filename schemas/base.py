"""What every event shares: frozen, typed, versioned, strict to write and lenient to read."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from schemas.topics import MAX_RECORD_BYTES

TASK_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")

TaskName = Annotated[str, StringConstraints(pattern=rf"^{TASK_NAME.pattern}$")]
"""A learning problem: one label set and one lineage. Safe as a folder, a key and a metric label."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0)]


def _without_line_breaks(text: str) -> str:
    # Spelled out, since it runs for every record: any() over the three takes six times as long.
    if "\n" in text or "\r" in text or "\x00" in text:
        msg = "must not contain NUL or line breaks"
        raise ValueError(msg)
    return text


Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_without_line_breaks),
]
"""The name of a class; at most 200 characters on one line."""


class Event(BaseModel):
    """A frozen fact on a topic.

    Writers construct it, so an unknown field is an error; readers call `decode`, which ignores
    unknown fields, so that a newer writer does not break an older reader.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_type: ClassVar[str]
    """CloudEvents type, in the past tense where the event is a fact."""
    max_bytes: ClassVar[int] = MAX_RECORD_BYTES
    """A larger value is refused unread: by the table of topics no writer can have sent it, but a
    batch that was compressed can hold one, and its faults would take a hundredfold of it."""

    @property
    def event_id(self) -> str:
        """A deterministic id: the same fact published twice carries the same id."""
        raise NotImplementedError

    @property
    def happened_at(self) -> datetime:
        """When the fact happened, aware."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """The JSON value for the topic."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, raw: bytes | str) -> Self:
        """Read one value, ignoring unknown fields.

        Raises:
            pydantic.ValidationError: it is not JSON, does not fit the schema, or is too large.
        """
        if len(raw) > cls.max_bytes:
            fault = PydanticCustomError(
                "too_large",
                "{size} bytes, more than the {limit} of such an event",
                {"size": len(raw), "limit": cls.max_bytes},
            )
            raise ValidationError.from_exception_data(
                cls.__name__, [{"type": fault, "loc": (), "input": None}]
            )
        return cls.model_validate_json(raw, extra="ignore")

    def headers(self, source: str) -> list[tuple[str, bytes]]:
        """CloudEvents attributes as Kafka headers (Kafka protocol binding 1.0, binary mode)."""
        attributes: dict[str, Any] = {
            "ce_specversion": "1.0",
            "ce_id": self.event_id,
            "ce_type": f"freshet.{self.event_type}.v1",
            "ce_source": source,
            "ce_time": self.happened_at.isoformat(),
            "content-type": "application/json",
        }
        return [(name, str(value).encode()) for name, value in attributes.items()]


class Span(BaseModel):
    """A range of offsets of one partition: `start` inclusive, `end` exclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str
    partition: Count
    start: Count
    end: Count

    def model_post_init(self, _context: Any) -> None:
        """Refuse a span that ends before it starts."""
        if self.end < self.start:
            msg = f"span ends at {self.end}, before its start {self.start}"
            raise ValueError(msg)

    @property
    def place(self) -> str:
        """`topic/partition`: the key of `trained_through`."""
        return f"{self.topic}/{self.partition}"

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.start}-{self.end}"


__all__ = [
    "TASK_NAME",
    "AwareDatetime",
    "Count",
    "Event",
    "Fraction",
    "Label",
    "Seconds",
    "Sha256",
    "Span",
    "TaskName",
]
