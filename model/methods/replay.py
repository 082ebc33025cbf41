"""Experience replay: the newest records together with a sample of older ones.

Rehearsal goes back to Ratcliff (1990, "Connectionist models of recognition memory"); the form that
is compared against today is ER of Chaudhry et al. (2019, "On tiny episodic memories in continual
learning"), whose ring buffer holds equally many examples of every class and joins a batch from it
to every incoming batch. We deviate twice: the sample comes from the log, not from a small buffer
that is then seen over and over, and it is drawn once for a fit and shuffled with the newest
records, so that old and new keep their shares over the fit but not within each batch.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from model.data import Record
from model.methods.base import newest_and_older, rank


class Sample(Protocol):
    """Chooses at most `size` older records, in their order; the same seed gives the same choice."""

    def __call__(self, records: Sequence[Record], size: int, *, seed: int) -> Sequence[Record]:
        """The choice."""
        ...


@dataclass(frozen=True, slots=True)
class Replay:
    """Draws the newest records and a sample of older ones.

    Args:
        newest_records: most newest records of a fit.
        replay_share: share of older records in the whole, in [0, 1).
        sample: chooses the older ones; None balances them over labels.
        horizon_records: how many before the newest the older ones are among; None is all.
    """

    newest_records: int
    replay_share: float
    sample: Sample | None = None
    horizon_records: int | None = None

    @property
    def budget(self) -> int:
        """Most records of a choice."""
        older = replayed_beside(self.newest_records, self.replay_share)
        return self.newest_records + min(older, self.horizon_records or older)

    def __call__(self, records: Sequence[Record], *, seed: int) -> tuple[Record, ...]:
        """The sample of older records, then the newest, each oldest first."""
        newest, older = newest_and_older(records, self.newest_records)
        older = older if self.horizon_records is None else older[-self.horizon_records :]
        size = replayed_beside(len(newest), self.replay_share)
        return (*(self.sample or balanced_sample)(older, size, seed=seed), *newest)


def replayed_beside(num_newest: int, share: float) -> int:
    """So many older records that they are `share` of the whole: r = n s / (1 - s)."""
    return round(num_newest * share / (1.0 - share))


def _label(record: Record) -> str:
    return record.label


def balanced_sample(
    records: Sequence[Record], size: int, *, seed: int, group: Callable[[Record], str] = _label
) -> list[Record]:
    """At most `size` records, equally many of each group as far as they go, in their order.

    Within a group those with the smallest keyed hashes are taken; a group that has too few leaves
    its places to the others.
    """
    by_group: defaultdict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: rank(record.id, seed=seed)):
        by_group[group(record)].append(record)
    quotas = _quotas({name: len(held) for name, held in by_group.items()}, size, seed=seed)
    chosen = {record.id for name, held in by_group.items() for record in held[: quotas[name]]}
    return [record for record in records if record.id in chosen]


def _quotas(available: Mapping[str, int], size: int, *, seed: int) -> dict[str, int]:
    """Share `size` places: the rarest label first, each taking an equal part of what is left."""
    quotas: dict[str, int] = {}
    rarest_first = sorted(available, key=lambda label: (available[label], rank(label, seed=seed)))
    for waiting, label in zip(range(len(available), 0, -1), rarest_first, strict=True):
        quotas[label] = min(available[label], size // waiting)
        size -= quotas[label]
    return quotas
