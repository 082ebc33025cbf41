"""The records that a model learns from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from schemas.base import Span


@dataclass(frozen=True, slots=True)
class Record:
    """A labeled text and where it stands in the log."""

    id: str
    text: str
    label: str
    topic: str
    partition: int
    offset: int
    event_time: datetime
    source: str | None = None


class Log(Protocol):
    """Reads the data set back: spans of the log, as the windows saw them.

    Blocks until all is read; without `strict`, what retention has left.

    Raises:
        SpanDeletedError: retention has deleted some of the span and `strict` is set.
        RetryError: the broker does not answer.
    """

    def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
        """The task's valid records inside the span, in offset order."""
        ...


class Progress(Protocol):
    """Told how far an update is; must return at once and never raise."""

    def __call__(self, stage: str, /, **fields: Any) -> None:
        """Take note of one step: `stage` is a word such as `fitting`, `fields` are its figures."""
        ...
