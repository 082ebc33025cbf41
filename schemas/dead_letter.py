"""A record that cannot be processed: why, where it came from, and its very bytes."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import AwareDatetime, Base64Bytes

from schemas.base import Count, Event, TaskName
from schemas.topics import LARGE_MESSAGE_BYTES


class DeadLetter(Event):
    """A record set aside, unique by (`topic`, `partition`, `offset`); a restart may repeat it."""

    event_type: ClassVar[str] = "dead_lettered"
    max_bytes: ClassVar[int] = LARGE_MESSAGE_BYTES
    type: Literal["dead_letter"] = "dead_letter"
    schema_version: Literal[1] = 1

    topic: str
    partition: Count
    offset: Count
    reason: str
    """A short name of the fault, fit for counting: `invalid_json`, `text_too_long`."""
    detail: str
    """What was wrong with it, where, and what to do, for a person."""
    key: Base64Bytes | None
    value: Base64Bytes | None
    record_headers: tuple[tuple[str, Base64Bytes | None], ...] = ()
    """Those of the record; a letter has its own beside them."""
    whole: bool = True
    """Whether key, value and headers are the record's own; else they are its beginning, and the
    record itself is to be read at its place in the log."""
    task: TaskName | None = None
    """Of a record whose value is not here; else the value may name it."""
    dead_at: AwareDatetime

    @property
    def event_id(self) -> str:
        """Where the record stands."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def happened_at(self) -> datetime:
        """When it was set aside."""
        return self.dead_at
