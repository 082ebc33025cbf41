"""What has happened to single records since a version, told as that version would know them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.data import Log, Record
from model.deltas import counted
from model.encoder import Features
from model.journal import Row, from_parquet
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.replay_memory import ReplayRow
from model.reread import left_of
from model.state import TaskState
from schemas.evaluation import Outcome


@dataclass(slots=True)
class Aftermath:
    """What has happened to single records since a version, told under that version's encoder.

    Args:
        now: the state after the tip.
        then: the state after the version.
        to: its entry.
        held_out: features (D,) of the held-out records under the version's encoder, by id.
        lineage: of the task.
        log: to read records again.
    """

    now: TaskState
    then: TaskState
    to: LineageEntry
    held_out: Mapping[str, Features]
    lineage: Lineage
    log: Log | None
    given_up: int = 0
    """Learned records of which no features are to be had."""
    _later: Sequence[LineageEntry] = field(init=False)
    """The entries since the version's, oldest first; read once."""

    def __post_init__(self) -> None:
        last = self.now.tip.sequence if self.now.tip else -1
        self._later = [self.lineage.entry(s) for s in range(self.to.sequence + 1, last + 1)]

    def blamed(self) -> tuple[int, ...]:
        """Increments that are not part of the version, and are not given up."""
        later = {entry.sequence for entry in self._later if _brought(entry)}
        return tuple(sorted((later | set(self.then.set_apart)) - self._gone))

    def tries(self) -> dict[int, int]:
        """How many increments have tried the rounds that were apart at or since the version.

        The one that adopted a round is counted, so that bad records which are adopted and rolled
        back again and again are given up in the end.
        """
        entries, found = [self.to, *self._later], dict[int, int]()
        for entry, after in zip(entries, [*entries[1:], None], strict=True):
            # Unless the entry after it has it apart, too, and is read next.
            adopted = after is not None and after.kind in {"increment", "refresh"}
            told = zip(entry.set_apart, entry.set_apart_tries, strict=False)
            found |= {sequence: count + adopted for sequence, count in told}
        return found

    def rows(self) -> tuple[Row, ...]:
        """Every row that is still known, each correction with the row that it would take back."""
        found = self._features()
        told: list[Row] = []
        for row in self.now.journal:
            told.extend(self._told(row, found))
        told.extend(self._taken_back())
        return tuple(told)

    def _told(self, row: Row, found: Mapping[str, Features]) -> list[Row]:
        before = self.then.journal.get(row.id)
        if before is not None and _place(before) == _place(row):
            held = self.then.set_apart.get(before.sequence, ())
            return [item for item in held if item.id == row.id] or [before]
        features = found.get(row.id)
        if row.part == "learn" and features is None:
            self.given_up += row.sequence not in self._gone
            if before is not None:  # its correction is lost: it counts as it did
                return [before]
        back = counted(before, self.then) if before is not None else None
        news = replace(row, features=features, weight=1.0)
        if back is None:
            return [news]
        return [replace(back, weight=-back.weight, sequence=row.sequence), news]

    def _taken_back(self) -> list[Row]:
        """Rows that gave way to another id since; none where the journal has begun to forget."""
        blamed = self.blamed()
        if not blamed or len(self.now.journal) >= self.now.journal.horizon:
            return []
        gone = [row for row in self.then.journal if self.now.journal.get(row.id) is None]
        backs = [back for row in gone if (back := counted(row, self.then)) is not None]
        return [replace(b, weight=-b.weight, sequence=blamed[-1]) for b in backs]

    def _features(self) -> dict[str, Features]:
        """Features under the version's encoder of the records that came after it, by id."""
        if self.now.encoder.digest == self.then.encoder.digest:
            return {row.id: row.features for row in self.now.journal if row.features is not None}
        found = dict(self.held_out)
        for entry in self._later:
            journal = entry.files.journal if entry.files else None
            same = entry.encoder is not None and entry.encoder.digest == self.then.encoder.digest
            if journal and same and entry.files and not entry.files.journal_is_snapshot:
                rows = from_parquet(self.lineage.store.fetch(journal))
                mine = (row for row in rows if _same(self.now.journal.get(row.id), row))
                found |= {row.id: row.features for row in mine if row.features is not None}
        return found | self._encoded_again(found)

    def _encoded_again(self, found: Mapping[str, Features]) -> dict[str, Features]:
        """Features of records whose texts the replay memory holds, or else the log."""
        missing = {
            row.id: row
            for row in self.now.journal
            if row.part == "learn" and row.id not in found and not self._as_before(row)
        }
        at_hand = {
            row.id: row.record for row in self.now.replay.rows if _same(missing.get(row.id), row)
        }
        if self.log is not None and len(at_hand) < len(missing):
            at_hand |= {
                record.id: record
                for entry in self._later
                if _brought(entry)
                for span in entry.spans
                for record in left_of(self.log, self.lineage.task, span)
                if _same(missing.get(record.id), record)
            }
        features = self.then.encoder.features([record.text for record in at_hand.values()])
        return {record_id: features[number] for number, record_id in enumerate(at_hand)}

    def _as_before(self, row: Row) -> bool:
        return _same(self.then.journal.get(row.id), row)

    @property
    def _gone(self) -> frozenset[int]:
        """The rounds that were given up before."""
        return frozenset(self.now.tip.given_up if self.now.tip else ())


def _place(item: Row | Record | ReplayRow) -> tuple[str, int, int]:
    return item.topic, item.partition, item.offset


def _same(known: Row | None, item: Row | Record | ReplayRow) -> bool:
    return known is not None and _place(known) == _place(item)


def _brought(entry: LineageEntry) -> bool:
    """Whether an increment brought records; under a trained head it promotes nothing."""
    judged = entry.outcome in (Outcome.PROMOTED, Outcome.REJECTED)
    waits = entry.outcome is Outcome.SKIPPED and entry.evaluation.counts.learned > 0
    return entry.kind == "increment" and (judged or waits)
