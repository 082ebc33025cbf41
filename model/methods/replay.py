"""Experience replay: the newest records together with a sample of older ones.

Rehearsal goes back to Ratcliff (1990, "Connectionist models of recognition memory"); the form that
is compared against today is ER of Chaudhry et al. (2019, "On tiny episodic memories in continual
learning"), whose ring buffer holds equally many examples of every class and joins a batch from it
to every incoming batch. We deviate twice: the sample comes from the log, not from a small buffer
that is then seen over and over, and it is drawn once for a fit and shuffled with the newest
records, so that old and new keep their shares over the fit but not within each batch.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.data import Record
from model.methods.base import latest_of_each_id, rank


@dataclass(frozen=True, slots=True)
class Replay:
    """Draws the newest records and a class-balanced sample of all older ones.

    Args:
        newest_records: most newest records of a fit.
        replay_share: share of older records in the whole, in [0, 1).
    """

    newest_records: int
    replay_share: float

    @property
    def budget(self) -> int:
        """Most records of a choice."""
        return self.newest_records + self._replayed(self.newest_records)

    def __call__(self, records: Sequence[Record], *, seed: int) -> tuple[Record, ...]:
        """The sample of older records, then the newest, each oldest first."""
        known = latest_of_each_id(records)
        newest, older = known[-self.newest_records :], known[: -self.newest_records]
        replayed = balanced_sample(older, self._replayed(len(newest)), seed=seed)
        return (*replayed, *newest)

    def _replayed(self, num_newest: int) -> int:
        """So many that they are `replay_share` of the whole: r = n s / (1 - s)."""
        return round(num_newest * self.replay_share / (1.0 - self.replay_share))


def balanced_sample(records: Sequence[Record], size: int, *, seed: int) -> list[Record]:
    """At most `size` records, equally many of each label as far as they go, in their order.

    Within a label those with the smallest keyed hashes are taken; a label that has too few leaves
    its places to the others.
    """
    by_label: defaultdict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: rank(record.id, seed=seed)):
        by_label[record.label].append(record)
    quotas = _quotas({label: len(held) for label, held in by_label.items()}, size, seed=seed)
    chosen = {record.id for label, held in by_label.items() for record in held[: quotas[label]]}
    return [record for record in records if record.id in chosen]


def _quotas(available: Mapping[str, int], size: int, *, seed: int) -> dict[str, int]:
    """Share `size` places: the rarest label first, each taking an equal part of what is left."""
    quotas: dict[str, int] = {}
    rarest_first = sorted(available, key=lambda label: (available[label], rank(label, seed=seed)))
    for waiting, label in zip(range(len(available), 0, -1), rarest_first, strict=True):
        quotas[label] = min(available[label], size // waiting)
        size -= quotas[label]
    return quotas
