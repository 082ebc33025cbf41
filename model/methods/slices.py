"""Replay balanced over slices: equally many older records of each month and source.

The same balance that a ring buffer keeps over classes (Chaudhry et al. 2019), over where and when a
record comes from: a stream that has changed its writer keeps all of them in the sample, however
many each has written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from model.data import Record
from model.methods.base import newest_and_older
from model.methods.replay import balanced_sample, replayed_beside


@dataclass(frozen=True, slots=True)
class SliceReplay:
    """Draws the newest records and a sample of older ones, balanced over months and sources.

    Args:
        newest_records: most newest records of a fit.
        replay_share: share of older records in the whole, in [0, 1).
    """

    newest_records: int
    replay_share: float

    @property
    def budget(self) -> int:
        """Most records of a choice."""
        return self.newest_records + replayed_beside(self.newest_records, self.replay_share)

    def __call__(self, records: Sequence[Record], *, seed: int) -> tuple[Record, ...]:
        """The sample of older records, then the newest, each oldest first."""
        newest, older = newest_and_older(records, self.newest_records)
        size = replayed_beside(len(newest), self.replay_share)
        return (*balanced_sample(older, size, seed=seed, group=slice_of), *newest)


def slice_of(record: Record) -> str:
    """The month and the source of a record."""
    return f"{record.event_time:%Y-%m} {record.source or ''}"
