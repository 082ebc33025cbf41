"""A stream in memory: slices one after the other, cut into windows, and the log that holds them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from model.backtest.slice import Slice
from model.data import Record
from model.update import WindowRecords
from schemas.base import Span
from schemas.topics import LABELED_TEXTS
from schemas.window import CloseReason, TrainingWindow, digest_ids, window_id

_FIRST_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Of a stream whose first record tells no time."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a backtest learns: the slices' records in order, as one partition of a log holds them.

    It is a `model.data.Log` whose retention never ends.
    """

    task: str
    slices: tuple[Slice, ...]
    records: tuple[Record, ...]
    """Of every slice, at offsets from 0."""

    def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
        """The records inside the span, in offset order."""
        return list(self.records[span.start : span.end])

    def windows(self, size: int) -> Iterator[WindowRecords]:
        """Windows of `size` records across slices; the last holds the rest."""
        for start in range(0, len(self.records), size):
            held = self.records[start : start + size]
            yield _window(self.task, held, full=len(held) == size)

    def ends(self) -> list[int]:
        """The offset behind each slice's last record."""
        lengths = [len(each.train) for each in self.slices]
        return [sum(lengths[: count + 1]) for count in range(len(lengths))]


def stream_of(task: str, slices: Sequence[Slice], *, seed: int) -> Stream:
    """Lay slices out one after the other; the seed enters every draw through the topic's name."""
    texts = [text for each in slices for text in each.train]
    topic, now, records = f"{LABELED_TEXTS.name}-seed-{seed}", _FIRST_TIME, []
    for offset, text in enumerate(texts):
        # A record without a time comes right after the one before it.
        now = text.event_time or now + timedelta(milliseconds=1)
        records.append(
            Record(
                id=text.id or f"{topic}/0/{offset}",
                text=text.text,
                label=text.label,
                topic=topic,
                partition=0,
                offset=offset,
                event_time=now,
                source=text.source,
            )
        )
    return Stream(task, tuple(slices), tuple(records))


def _window(task: str, records: Sequence[Record], *, full: bool) -> WindowRecords:
    first, last = records[0], records[-1]
    span = Span(
        topic=first.topic, partition=first.partition, start=first.offset, end=last.offset + 1
    )
    labels = [record.label for record in records]
    now = datetime.now(UTC)
    window = TrainingWindow(
        window_id=window_id(task, span),
        task=task,
        span=span,
        num_records=len(records),
        digest=digest_ids(record.id for record in records),
        label_counts={label: labels.count(label) for label in dict.fromkeys(labels)},
        opened_at=now,
        closed_at=now,
        last_appended_at=now,
        reason=CloseReason.COUNT if full else CloseReason.COMMAND,
    )
    return WindowRecords(window, records)
