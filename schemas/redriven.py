"""A dead letter's record was sent again: which one, and where it stands now."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import AwareDatetime

from schemas.base import Count, Event


class Redriven(Event):
    """The mark that keeps a record from being sent twice; its key is `origin`."""

    event_type: ClassVar[str] = "redriven"
    type: Literal["redriven"] = "redriven"
    schema_version: Literal[1] = 1

    origin: str
    """`topic/partition/offset` of the record that was refused."""
    topic: str
    partition: Count
    offset: Count
    """Where it was sent to."""
    who: str
    redriven_at: AwareDatetime

    @property
    def event_id(self) -> str:
        """The record that was refused."""
        return self.origin

    @property
    def happened_at(self) -> datetime:
        """When it was sent again."""
        return self.redriven_at

    @property
    def place(self) -> str:
        """Where it was sent to, as `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"
