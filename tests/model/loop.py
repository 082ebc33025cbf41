"""A stream in memory for tests of the loop: real recipes on the tiny encoder, no Kafka."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from model.artifacts import ArtifactStore
from model.config import (
    EncoderConfig,
    FitConfig,
    GateConfig,
    HeadConfig,
    HoldoutConfig,
    RefreshConfig,
    TaskConfig,
    WindowConfig,
)
from model.data import Record
from model.errors import SpanDeletedError
from model.learner import Learner
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.state import TaskState
from model.statistics import Statistics
from model.update import WindowRecords
from schemas.base import Span
from schemas.window import CloseReason, TrainingWindow, digest_ids, window_id
from tests.model.tiny import DEVICE, LABELS, labeled_texts

TASK = "prices"
TOPIC = "labeled-texts"
TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

ALWAYS = GateConfig(
    margin_new=1.0, margin_old=1.0, max_negative_flip_rate=1.0, insufficient_evidence="promote"
)
"""A gate that lets every candidate pass, for tests of what comes behind it."""
NEVER = GateConfig(
    margin_new=0.0, margin_old=0.0, confidence=0.999999, insufficient_evidence="reject"
)
"""A gate that a handful of records cannot pass."""


def stream(count: int, *, start: int = 0) -> list[Record]:
    """Records at offsets `start` and up, whose words tell their labels."""
    texts, labels = labeled_texts(start + count)
    return [
        a_record(offset, text=texts[offset], label=LABELS[labels[offset]])
        for offset in range(start, start + count)
    ]


def a_record(offset: int, *, text: str, label: str, record_id: str | None = None) -> Record:
    """A record at an offset of partition 0."""
    return Record(
        id=record_id or f"id-{offset}",
        text=text,
        label=label,
        topic=TOPIC,
        partition=0,
        offset=offset,
        event_time=TIME + timedelta(minutes=offset),
        source="tests",
    )


def a_window(records: Sequence[Record]) -> WindowRecords:
    """The window over consecutive records."""
    span = Span(topic=TOPIC, partition=0, start=records[0].offset, end=records[-1].offset + 1)
    window = TrainingWindow(
        window_id=window_id(TASK, span),
        task=TASK,
        span=span,
        num_records=len(records),
        digest=digest_ids(record.id for record in records),
        label_counts={},
        opened_at=TIME,
        closed_at=TIME,
        last_appended_at=TIME,
        reason=CloseReason.COUNT,
    )
    return WindowRecords(window, records)


class MemoryLog:
    """`model.data.Log` over a list; `deleted_below` plays retention."""

    def __init__(self, records: Sequence[Record], *, deleted_below: int = 0) -> None:
        self._records = records
        self._deleted_below = deleted_below

    def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
        """What is left of the span."""
        first = max(span.start, self._deleted_below)
        if strict and first > span.start:
            raise SpanDeletedError(f"{span} begins before {first}, where the log begins")
        return [record for record in self._records if first <= record.offset < span.end]


class Loop:
    """A learner on a folder, and shortcuts to what it wrote."""

    def __init__(self, folder: Path, encoder_folder: Path, **changes: Any) -> None:
        self.store = ArtifactStore(str(folder / "store"))
        self.config = TaskConfig(
            window=WindowConfig(records=60),
            encoder=EncoderConfig(base_model=str(encoder_folder)),
            refresh=RefreshConfig(
                first_after_records=150, every_records=150, min_records_per_label=5
            ),
            fit=FitConfig(epochs=1, learning_rate=1e-3),
            # Statistics hold the projection; some 70 records are enough to pay for one so narrow,
            # and a head on it fits noise: tests of it ask for it.
            head=HeadConfig(projection=16, features="plain", shrinkage="oas"),
            holdout=HoldoutConfig(share=0.3),
            duplicate_horizon_records=1000,
        ).model_copy(update=changes)
        self.lineage = Lineage(self.store, TASK)
        self._folder = folder
        self.templates = encoder_folder.parent / "templates"
        self.stages: list[str] = []
        self.learner = self.new_learner()

    def new_learner(self) -> Learner:
        """A learner that knows nothing but the store, as after a restart."""
        return Learner(
            self.store,
            cache=self.templates,
            device=DEVICE,
            threads=1,
            progress=lambda stage, /, **_fields: self.stages.append(stage),
        )

    def learn(self, records: Sequence[Record]) -> LineageEntry:
        """One increment over one window."""
        return self.learner.increment(TASK, [a_window(records)], self.config)

    def refresh(self, records: Sequence[Record], *, deleted_below: int = 0) -> LineageEntry:
        """A refresh from a log that holds these records."""
        log = MemoryLog(records, deleted_below=deleted_below)
        return self.learner.refresh(TASK, "the test says so", log, self.config)

    def state(self, learner: Learner | None = None) -> TaskState:
        """The learner's state after the tip."""
        return (learner or self.learner).state(TASK, self.config)


def direct_statistics(loop: Loop) -> Statistics:
    """The statistics of every learned row, summed up at once."""
    state = loop.state()
    index = state.label_index()
    rows = [row for row in state.journal if row.part == "learn" and row.features is not None]
    features = np.stack([row.features for row in rows if row.features is not None])
    labels = [index[row.label] for row in rows]
    projected = state.statistics.projected
    return Statistics.of(features, labels, num_labels=len(index), projected=projected)


def part_of(loop: Loop, record_id: str) -> str:
    """On which side of the split a record fell."""
    row = loop.state().journal.get(record_id)
    return row.part if row else "unknown"
