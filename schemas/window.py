"""A closed window: which records of the log to learn from next."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import AwareDatetime

from schemas.base import Count, Event, Label, Sha256, Span, TaskName

MOST_LABELS = 500
"""So many of the longest labels fit into a record of 1 MB."""


class CloseReason(StrEnum):
    """Why a window closed."""

    COUNT = "count"
    """It holds as many records as the task asks for."""
    AGE = "age"
    """Its records span the longest event time that the task allows."""
    IDLE = "idle"
    """It has been open for the longest wall-clock time that the task allows."""
    COMMAND = "command"
    """A `close` command on `control`."""


class TrainingWindow(Event):
    """The `num_records` records of `task` inside `span`, ready to be learned.

    `digest` is over the ids in offset order (`digest_ids`): the log must say what the window said.
    """

    event_type: ClassVar[str] = "window_closed"
    type: Literal["training_window"] = "training_window"
    schema_version: Literal[1] = 1

    window_id: str
    task: TaskName
    span: Span
    num_records: Count
    digest: Sha256
    label_counts: dict[Label, Count]
    """Of the most frequent labels, `MOST_LABELS` at most."""
    opened_at: AwareDatetime
    """Wall-clock time at which its first record was seen."""
    closed_at: AwareDatetime
    last_appended_at: AwareDatetime
    """The broker's append time of its last record: freshness counts from here."""
    reason: CloseReason

    @property
    def event_id(self) -> str:
        """The window's id: a redelivered window is the same event."""
        return self.window_id

    @property
    def happened_at(self) -> datetime:
        """When it closed."""
        return self.closed_at

    def mismatch(self, ids: Sequence[str]) -> str | None:
        """How the ids that its span holds differ from what it says; None where they do not."""
        if len(ids) != self.num_records:
            other = ""
        elif digest_ids(ids) != self.digest:
            other = " with other ids"
        else:
            return None
        return (
            f"{self.span} holds {len(ids)} valid records of {self.task}, the window says "
            f"{self.num_records}{other}"
        )


def window_id(task: str, span: Span) -> str:
    """The id of a window: where it stands, so that the same window always has the same id."""
    return f"{task}/{span}"


def digest_ids(ids: Iterable[str]) -> str:
    """SHA-256 over record ids in offset order, each followed by a line feed."""
    lines = "\n".join([*ids, ""])
    return hashlib.sha256(lines.encode(errors="surrogatepass")).hexdigest()
