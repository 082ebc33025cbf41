"""The holdout memory: records that are never learned, a fair sample of all that came by.

A hash-keyed reservoir: what is kept depends on the ids alone, so order, redelivery and partitions
do not change it and there is no random state to save.
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq

from model.errors import ArtifactRefusedError

_PERSON = b"freshet.holdout"
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("event_time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source", pa.string()),
        pa.field("anchor_right", pa.bool_()),
    ]
)
_BEFORE_ANCHORS = pa.schema(list(_SCHEMA)[:-1])
"""The columns of files that earlier versions wrote."""


@dataclass(frozen=True, slots=True)
class HoldoutRow:
    """A held-out record."""

    id: str
    text: str
    label: str
    part: Literal["select", "judge"]
    sequence: int
    """The lineage sequence it came with."""
    event_time: datetime
    source: str | None = None
    anchor_right: bool | None = None
    """Whether the gate's anchor has it right; None where that is not known."""


class HoldoutMemory:
    """Immutable: `add` and `remove` return a new memory, or this one where nothing changed.

    Of each label the records with the smallest keyed hashes of their ids are kept. The capacity is
    shared evenly over labels, and what a small label leaves goes to the larger ones: records are
    ranked within their label, and the `capacity` lowest ranks stay, ties going to the smaller hash.
    A record that is dropped would be dropped again whatever comes later, so a memory filled record
    by record equals one filled at once (a removed record is not replaced by one dropped before).
    """

    def __init__(self, rows: Iterable[HoldoutRow] = (), *, capacity: int) -> None:
        """Hold `rows` as they are; only `add` drops any.

        Raises:
            ValueError: `capacity` is less than 1.
        """
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, less than 1")
        self._capacity = capacity
        # One order for equal contents: the same bytes, and the same batches of texts.
        self._rows = tuple(sorted(rows, key=lambda row: (row.sequence, row.id)))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> tuple[HoldoutRow, ...]:
        """What is kept, by sequence and id."""
        return self._rows

    @property
    def capacity(self) -> int:
        """Most records that are kept, recent ones apart."""
        return self._capacity

    def add(self, rows: Iterable[HoldoutRow], *, recent_from: int | None = None) -> Self:
        """Offer records.

        An id that is held with the same label keeps its lowest sequence; with another label the
        higher sequence wins.

        Args:
            rows: the records offered.
            recent_from: records of this sequence or a later one are all kept, outside the capacity,
                until a later call moves the limit past them and they compete. Without it every
                record competes at once; a long-lived memory then holds hardly any recent ones.
        """
        held = {row.id: row for row in self._rows}
        for row in rows:
            held[row.id] = _preferred(held.get(row.id), row)
        recent = [r for r in held.values() if recent_from is not None and r.sequence >= recent_from]
        spared = {row.id for row in recent}
        kept = _lowest_ranks((r for r in held.values() if r.id not in spared), self._capacity)
        return self._with([*recent, *kept])

    def remove(self, ids: Iterable[str]) -> Self:
        """Forget records; unknown ids are ignored."""
        gone = set(ids)
        return self._with([row for row in self._rows if row.id not in gone])

    def marked(self, anchor_right: Mapping[str, bool | None]) -> Self:
        """With the anchor's answers on the records named by id; the others keep theirs."""
        return self._with(
            [
                replace(row, anchor_right=anchor_right[row.id]) if row.id in anchor_right else row
                for row in self._rows
            ]
        )

    def part(self, part: Literal["select", "judge"]) -> tuple[HoldoutRow, ...]:
        """The records that choose, or those that judge."""
        return tuple(row for row in self._rows if row.part == part)

    def recent(self, since_sequence: int) -> tuple[HoldoutRow, ...]:
        """Records that came with this sequence or a later one: *new*."""
        return tuple(row for row in self._rows if row.sequence >= since_sequence)

    def older(self, since_sequence: int) -> tuple[HoldoutRow, ...]:
        """All others: *old*."""
        return tuple(row for row in self._rows if row.sequence < since_sequence)

    def to_bytes(self) -> bytes:
        """As Parquet, zstd; equal memories give equal bytes."""
        table = pa.table(
            {field: [getattr(row, field) for row in self._rows] for field in _SCHEMA.names},
            schema=_SCHEMA,
        )
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes, *, capacity: int) -> Self:
        """Read what `to_bytes` wrote; a smaller capacity takes effect with the next `add`.

        Raises:
            ArtifactRefusedError: it is truncated, tampered with or something else.
        """
        try:
            table = pq.read_table(io.BytesIO(raw))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ArtifactRefusedError(f"not a holdout memory: {error}") from error
        if table.schema.equals(_BEFORE_ANCHORS):
            unknown_yet = pa.nulls(table.num_rows, pa.bool_())
            table = table.append_column(_SCHEMA.field("anchor_right"), unknown_yet)
        if not table.schema.equals(_SCHEMA):
            raise ArtifactRefusedError(f"not a holdout memory: columns {table.schema.names}")
        rows = [HoldoutRow(**values) for values in table.to_pylist()]
        unknown = {row.part for row in rows} - {"select", "judge"}
        if unknown or len({row.id for row in rows}) != len(rows):
            raise ArtifactRefusedError(f"not a holdout memory: parts {unknown} or repeated ids")
        return cls(rows, capacity=capacity)

    def _with(self, rows: list[HoldoutRow]) -> Self:
        changed = type(self)(rows, capacity=self._capacity)
        return self if changed.rows == self._rows else changed


def _lowest_ranks(rows: Iterable[HoldoutRow], capacity: int) -> list[HoldoutRow]:
    by_label: dict[str, list[tuple[bytes, HoldoutRow]]] = defaultdict(list)
    for row in rows:
        by_label[row.label].append((_hash(row.id), row))
    ranked = [
        (rank, key, row)
        for held in by_label.values()
        for rank, (key, row) in enumerate(sorted(held, key=lambda pair: pair[0]))
    ]
    ranked.sort(key=lambda item: item[:2])
    return [row for _, _, row in ranked[:capacity]]


def _hash(record_id: str) -> bytes:
    raw = record_id.encode(errors="surrogatepass")
    return hashlib.blake2b(raw, digest_size=16, person=_PERSON).digest()


def _preferred(held: HoldoutRow | None, offered: HoldoutRow) -> HoldoutRow:
    if held is None:
        return offered
    if held.label == offered.label:
        return min(held, offered, key=lambda row: row.sequence)
    return max(held, offered, key=lambda row: (row.sequence, row.label))
