"""The replay memory: learned records with their texts, for a refresh where the log is gone."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import pyarrow as pa

from model.data import Record
from model.memory_file import from_parquet, to_parquet
from model.reservoir import merged, selected

_KEY = b"freshet.replay"
_WHAT = "replay memory"
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("event_time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source", pa.string()),
        pa.field("sequence", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """A learned record, where it stood in the log, and the lineage sequence that brought it."""

    id: str
    text: str
    label: str
    topic: str
    partition: int
    offset: int
    event_time: datetime
    source: str | None
    sequence: int

    @classmethod
    def of(cls, record: Record, sequence: int) -> Self:
        """The row of a record that this round brought."""
        return cls(
            id=record.id,
            text=record.text,
            label=record.label,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_time=record.event_time,
            source=record.source,
            sequence=sequence,
        )

    @property
    def record(self) -> Record:
        """The record as the log had it."""
        return Record(
            id=self.id,
            text=self.text,
            label=self.label,
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            event_time=self.event_time,
            source=self.source,
        )


class ReplayMemory:
    """Immutable: `add` and `without` return a new memory, or this one where nothing changed.

    What stays is `model.reservoir`'s choice. Records of rejected rounds that are still tried again
    are not learned: they are kept apart, within budgets of their own, so that they push out none.
    """

    def __init__(self, rows: Iterable[ReplayRow] = (), *, records: int, text_bytes: int) -> None:
        """Hold `rows` as they are; only `add` drops any.

        Raises:
            ValueError: `records` is less than 0, or `text_bytes` than 1.
        """
        if records < 0 or text_bytes < 1:
            raise ValueError(
                f"records is {records}, less than 0, or text_bytes {text_bytes}, than 1"
            )
        self._records = records
        self._text_bytes = text_bytes
        self._rows = tuple(sorted(rows, key=_place))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> tuple[ReplayRow, ...]:
        """What is kept, oldest first; those of rejected rounds are among them."""
        return self._rows

    def add(self, rows: Iterable[ReplayRow], *, apart: Collection[int] = ()) -> Self:
        """Offer records.

        Args:
            rows: the records offered.
            apart: sequences of rejected rounds that are set apart.
        """
        offered = [*self._rows, *rows]
        kept = [
            row
            for group in (
                [row for row in offered if row.sequence not in apart],
                [row for row in offered if row.sequence in apart],
            )
            for row in selected(
                merged(group), records=self._records, text_bytes=self._text_bytes, key=_KEY
            )
        ]
        return self._with(kept)

    def without(self, gone: Collection[tuple[str, int]]) -> Self:
        """Forget rows by id and sequence; unknown ones are ignored."""
        return self._with([row for row in self._rows if (row.id, row.sequence) not in gone])

    def to_bytes(self) -> bytes:
        """As Parquet; equal memories give equal bytes."""
        return to_parquet(self._rows, _SCHEMA)

    @classmethod
    def from_bytes(cls, raw: bytes, *, records: int, text_bytes: int) -> Self:
        """Read what `to_bytes` wrote; smaller budgets take effect with the next `add`.

        Raises:
            ArtifactRefusedError: it is truncated, tampered with or something else.
        """
        rows = [ReplayRow(**values) for values in from_parquet(raw, _SCHEMA, what=_WHAT)]
        return cls(rows, records=records, text_bytes=text_bytes)

    def _with(self, rows: list[ReplayRow]) -> Self:
        changed = type(self)(rows, records=self._records, text_bytes=self._text_bytes)
        return self if changed.rows == self._rows else changed


def _place(row: ReplayRow) -> tuple[int, str, int, int, str]:
    return row.sequence, row.topic, row.partition, row.offset, row.id
