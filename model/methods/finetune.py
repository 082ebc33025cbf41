"""Fine-tuning on the newest records alone: the baseline that forgets."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.data import Record
from model.methods.base import latest_of_each_id


@dataclass(frozen=True, slots=True)
class Newest:
    """Draws the newest records and nothing else; no chance is involved.

    Args:
        newest_records: most records of a fit.
    """

    newest_records: int

    @property
    def budget(self) -> int:
        """Most records of a choice."""
        return self.newest_records

    def __call__(self, records: Sequence[Record], *, seed: int) -> tuple[Record, ...]:
        """The newest records, oldest first."""
        return tuple(latest_of_each_id(records)[-self.newest_records :])
