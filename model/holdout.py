"""The holdout memory: records that are never learned, a fair sample of all that came by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

import pyarrow as pa

from model.errors import ArtifactRefusedError
from model.memory_file import from_parquet, to_parquet
from model.reservoir import merged, selected

_KEY = b"freshet.holdout"
_WHAT = "holdout memory"
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

UNBOUNDED = 2**63 - 1
"""A budget of bytes that never binds."""


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

    What stays is `model.reservoir`'s choice. A removed record is not replaced by one that was
    dropped before.
    """

    def __init__(
        self, rows: Iterable[HoldoutRow] = (), *, capacity: int, text_bytes: int = UNBOUNDED
    ) -> None:
        """Hold `rows` as they are; only `add` drops any.

        Raises:
            ValueError: `capacity` or `text_bytes` is less than 1.
        """
        if capacity < 1 or text_bytes < 1:
            raise ValueError(f"capacity is {capacity}, text_bytes {text_bytes}: less than 1")
        self._capacity = capacity
        self._text_bytes = text_bytes
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

        Args:
            rows: the records offered.
            recent_from: records of this sequence or a later one are all kept, outside the budgets,
                until a later call moves the limit past them and they compete. Without it every
                record competes at once; a long-lived memory then holds hardly any recent ones.
        """
        held = merged([*self._rows, *rows])
        recent = [row for row in held if recent_from is not None and row.sequence >= recent_from]
        spared = {row.id for row in recent}
        kept = selected(
            (row for row in held if row.id not in spared),
            records=self._capacity,
            text_bytes=self._text_bytes,
            key=_KEY,
        )
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
        """As Parquet; equal memories give equal bytes."""
        return to_parquet(self._rows, _SCHEMA)

    @classmethod
    def from_bytes(cls, raw: bytes, *, capacity: int, text_bytes: int = UNBOUNDED) -> Self:
        """Read what `to_bytes` wrote; smaller budgets take effect with the next `add`.

        Raises:
            ArtifactRefusedError: it is truncated, tampered with or something else.
        """
        rows = [HoldoutRow(**values) for values in from_parquet(raw, _SCHEMA, what=_WHAT)]
        unknown = {row.part for row in rows} - {"select", "judge"}
        if unknown or len({row.id for row in rows}) != len(rows):
            raise ArtifactRefusedError(f"not a {_WHAT}: parts {unknown} or repeated ids")
        return cls(rows, capacity=capacity, text_bytes=text_bytes)

    def _with(self, rows: list[HoldoutRow]) -> Self:
        changed = type(self)(rows, capacity=self._capacity, text_bytes=self._text_bytes)
        return self if changed.rows == self._rows else changed
