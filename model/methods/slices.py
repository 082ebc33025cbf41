"""Replay balanced over slices: equally many older records of each month and source.

The same balance that a ring buffer keeps over classes (Chaudhry et al. 2019), over where and when a
record comes from: a stream that has changed its writer keeps all of them in the sample, however
many each has written.
"""

from collections.abc import Sequence

from model.data import Record
from model.methods.replay import balanced_sample


def by_slice(records: Sequence[Record], size: int, *, seed: int) -> list[Record]:
    """At most `size` records, equally many of each month and source."""
    return balanced_sample(records, size, seed=seed, group=slice_of)


def slice_of(record: Record) -> str:
    """The month and the source of a record."""
    return f"{record.event_time:%Y-%m} {record.source or ''}"
