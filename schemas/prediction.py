"""An answer to a text, stamped with the version that gave it."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import AwareDatetime

from schemas.base import Count, Event, Fraction, Label, TaskName


class Prediction(Event):
    """The label of one text and the calibrated score of every label."""

    event_type: ClassVar[str] = "predicted"
    type: Literal["prediction"] = "prediction"
    schema_version: Literal[1] = 1

    id: str
    """The id of the text, else `topic/partition/offset` of where it was read."""
    task: TaskName
    label: Label
    scores: dict[Label, Fraction]
    version: Count
    """Sequence number of the version in the task's lineage."""
    predicted_at: AwareDatetime

    @property
    def event_id(self) -> str:
        """The id of the text."""
        return self.id

    @property
    def happened_at(self) -> datetime:
        """When it was answered."""
        return self.predicted_at
