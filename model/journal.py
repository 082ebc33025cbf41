"""The journal of a task: one row for each record that was learned, held out, or taken back.

The rows of the newest records are what a learner remembers of single records: which ids it knows
(duplicates, corrections), on which side of the split they fell, and their features, so that they
can be subtracted again. A round writes its own rows only, a refresh all that are still known.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model.data import Record
from model.errors import ArtifactRefusedError

_FIELDS = [
    ("id", pa.string()),
    ("label", pa.string()),
    ("part", pa.string()),
    ("sequence", pa.int64()),
    ("text_hash", pa.string()),
    ("topic", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("event_time", pa.timestamp("us", tz="UTC")),
    ("weight", pa.float64()),
    ("clock", pa.float64()),
]


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the learner knows it; `weight` -1 takes an earlier row of the same id back."""

    id: str
    label: str
    part: str
    """`learn`, `select` or `judge`."""
    sequence: int
    """The entry that brought it."""
    text_hash: str
    topic: str
    partition: int
    offset: int
    event_time: datetime
    weight: float
    """What it counts for in the statistics; after a partial re-read more than 1."""
    features: NDArray[np.float32] | None
    """(D,) under the encoder of the task; None where it was not encoded again."""
    mapped: bool = False
    """Whether they are not the encoder's own: they were carried over from an earlier one."""
    clock: float = 0.0
    """When it counts fully, on the clock of the statistics: half as much a half-life later."""

    @classmethod
    def of(
        cls,
        record: Record,
        *,
        part: str,
        sequence: int,
        text_hash: str,
        features: NDArray[np.float32] | None,
        clock: float = 0.0,
    ) -> Self:
        """The row that a record brings, at its full weight."""
        return cls(
            id=record.id,
            label=record.label,
            part=part,
            sequence=sequence,
            text_hash=text_hash,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_time=record.event_time,
            weight=1.0,
            features=features,
            clock=clock,
        )


class Journal:
    """The newest rows of a task by id, bounded, oldest first out. Rows are never changed."""

    def __init__(self, rows: Iterable[Row] = (), *, horizon: int) -> None:
        self._rows: dict[str, Row] = {}
        self._horizon = horizon
        self._id_of_text: dict[str, str] = {}
        for row in rows:
            self._take(row)
        self._forget_the_oldest()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    @property
    def horizon(self) -> int:
        """Most rows that are kept."""
        return self._horizon

    def get(self, record_id: str) -> Row | None:
        """The row of an id, if it is still known."""
        return self._rows.get(record_id)

    def of_text(self, text_hash: str) -> Row | None:
        """The newest row of a text, whatever its id."""
        return self._rows.get(self._id_of_text.get(text_hash, ""))

    def extended(self, rows: Iterable[Row]) -> "Journal":
        """This journal with more rows; itself unchanged."""
        journal = Journal(horizon=self._horizon)
        journal._rows = dict(self._rows)
        journal._id_of_text = dict(self._id_of_text)
        for row in rows:
            journal._take(row)
        journal._forget_the_oldest()
        return journal

    def replaced(self, rows: Iterable[Row]) -> "Journal":
        """A journal of other rows with the same horizon."""
        return Journal(rows, horizon=self._horizon)

    def _take(self, row: Row) -> None:
        self._rows.pop(row.id, None)
        if row.weight > 0:  # else it is taken back; a new row of the same id may follow
            self._rows[row.id] = row
            self._id_of_text[row.text_hash] = row.id

    def _forget_the_oldest(self) -> None:
        for record_id in list(self._rows)[: max(0, len(self._rows) - self._horizon)]:
            row = self._rows.pop(record_id)
            if self._id_of_text.get(row.text_hash) == record_id:
                del self._id_of_text[row.text_hash]


def to_parquet(rows: Iterable[Row], *, dim: int) -> bytes:
    """Rows as Parquet; features as fixed-size lists of `dim` float32, null where there are none."""
    held = list(rows)
    columns: dict[str, Any] = {
        name: pa.array([getattr(row, name) for row in held], kind) for name, kind in _FIELDS
    }
    flat = np.concatenate(
        [np.zeros(dim, np.float32) if row.features is None else row.features for row in held]
        or [np.zeros(0, np.float32)]
    )
    columns["features"] = pa.FixedSizeListArray.from_arrays(
        pa.array(flat, pa.float32()),
        dim,
        mask=pa.array([row.features is None for row in held], pa.bool_()),
    )
    columns["mapped"] = pa.array([row.mapped for row in held], pa.bool_())
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd", use_dictionary=True)
    return sink.getvalue()


def from_parquet(data: bytes) -> list[Row]:
    """The rows of `to_parquet`, in their order.

    Raises:
        ArtifactRefusedError: it is not such a file.
    """
    try:
        table = pq.read_table(io.BytesIO(data))
        if "clock" not in table.column_names:  # written before there were half-lives
            table = table.append_column("clock", pa.array([0.0] * len(table), pa.float64()))
        columns = [table.column(name).to_pylist() for name, _ in _FIELDS]
        features = table.column("features").combine_chunks()
        missing = features.is_null().to_pylist()
        has_flag = "mapped" in table.column_names  # journals of earlier versions have none
        mapped = table.column("mapped").to_pylist() if has_flag else [False] * table.num_rows
        matrix = np.asarray(features.values, dtype=np.float32).reshape(
            table.num_rows, features.type.list_size
        )
    except (pa.ArrowException, KeyError, ValueError) as error:
        msg = f"not a journal: {error}"
        raise ArtifactRefusedError(msg) from error
    names = [name for name, _ in _FIELDS]
    return [
        Row(
            **dict(zip(names, values, strict=True)),
            features=None if absent else matrix[index],
            mapped=flag,
        )
        for index, (absent, flag, *values) in enumerate(zip(missing, mapped, *columns, strict=True))
    ]
