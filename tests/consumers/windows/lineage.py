"""What training knows of a task, and how it learns windows, for the interleavings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumers.records import BadRecordError, parse_labeled_text
from model.data import Record
from model.intake import take_in
from model.journal import Journal
from schemas.window import TrainingWindow, digest_ids
from tests.consumers.windows.interleaving import CONFIG, HOLDOUT, SETTINGS
from tests.model.rows import rows_of

Log = Mapping[int, Sequence[Any]]
"""Raw records of each partition."""


@dataclass
class Lineage:
    """What training knows of a task."""

    labels: tuple[str, ...] = ()
    journal: Journal = field(default_factory=lambda: Journal(horizon=1000))
    through: dict[str, int] = field(default_factory=dict)
    position: int = 0
    fates: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How often a record was dealt with, by partition and offset."""
    refused: set[tuple[int, int]] = field(default_factory=set)

    def learn(self, task: str, windows: Sequence[TrainingWindow], log: Log) -> None:
        """Learn windows together; what is taken in and trimmed adds up, and nothing comes twice."""
        before, read = dict(self.through), [_read(task, window, log) for window in windows]
        intake = take_in(
            [(w.span.place, w.span.end, r) for w, r in zip(windows, read, strict=True)],
            journal=self.journal,
            labels=self.labels,
            trained_through=self.through,
            split=HOLDOUT,
            config=CONFIG,
        )
        fresh = []
        for window, records in zip(windows, read, strict=True):
            below = before.get(window.span.place, 0)
            fresh += [r for r in records if r.offset >= below]
            before[window.span.place] = max(below, window.span.end)
        counts = intake.counts
        accounted = counts.learned + counts.held_out + counts.duplicates + counts.refused
        assert (accounted, before) == (len(fresh), intake.trained_through)
        self.fates.update((record.partition, record.offset) for record in fresh)
        refused = {(int(p.rsplit("/")[-1]), o) for p, each in intake.refused.items() for o in each}
        taken = {(item.record.partition, item.record.offset) for item in intake.taken}
        assert len(refused) == counts.refused
        assert not refused & (taken | self.refused)
        self.refused |= refused
        self.journal = self.journal.extended(rows_of(intake))
        self.labels, self.through = intake.labels, intake.trained_through
        assert len(self.labels) <= CONFIG.max_labels


def task_of(record: Any) -> str | None:
    """The task that a record teaches; None where it is a bad one."""
    try:
        return parse_labeled_text(record, settings=SETTINGS).task
    except BadRecordError:
        return None


def _read(task: str, window: TrainingWindow, log: Log) -> list[Record]:
    """The window's records; the log says what the window said."""
    span = window.span
    records = [
        parse_labeled_text(record, settings=SETTINGS).record
        for record in log[span.partition][span.start : span.end]
        if task_of(record) == task
    ]
    assert window.num_records == len(records)
    assert window.digest == digest_ids(record.id for record in records)
    return records
