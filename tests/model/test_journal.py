"""The journal: which records are known, and how they were counted."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from model.errors import ArtifactRefusedError
from model.journal import Journal, Row, from_parquet, to_parquet

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def a_row(record_id: str, *, label: str = "up", sequence: int = 0, weight: float = 1.0) -> Row:
    return Row(
        id=record_id,
        label=label,
        part="learn",
        sequence=sequence,
        text_hash=f"hash of {record_id}",
        topic="labeled-texts",
        partition=1,
        offset=7,
        event_time=TIME,
        weight=weight,
        features=np.array([0.25, -1.5, 3.0], np.float32),
    )


def test_rows_come_back_from_parquet_bit_by_bit() -> None:
    rows = [a_row("a"), replace(a_row("b", weight=-2.5), features=None), a_row("c", label="Ö\t")]

    read = from_parquet(to_parquet(rows, dim=3))

    assert [replace(row, features=None) for row in read] == [
        replace(row, features=None) for row in rows
    ]
    assert read[1].features is None
    np.testing.assert_array_equal(read[0].features, rows[0].features)


def test_a_journal_of_an_earlier_version_holds_no_mapped_rows() -> None:
    rows = [replace(a_row("a"), mapped=True), a_row("b")]
    raw = to_parquet(rows, dim=3)
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(raw)).drop_columns(["mapped"]), sink)

    assert [row.mapped for row in from_parquet(raw)] == [True, False]
    assert [row.mapped for row in from_parquet(sink.getvalue())] == [False, False]


def test_no_rows_are_a_valid_file() -> None:
    assert from_parquet(to_parquet([], dim=3)) == []


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"not parquet at all", to_parquet([], dim=3)[:-9]])
def test_a_broken_file_is_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactRefusedError):
        from_parquet(raw)


def test_the_newest_row_of_an_id_is_the_one_that_is_known() -> None:
    journal = Journal([a_row("a", label="up"), a_row("a", label="down", sequence=1)], horizon=10)

    known = journal.get("a")

    assert known is not None
    assert (known.label, known.sequence, len(journal)) == ("down", 1, 1)


def test_a_row_taken_back_and_brought_again_is_known_under_its_new_label() -> None:
    journal = Journal([a_row("a", label="up")], horizon=10)

    corrected = journal.extended(
        [a_row("a", label="up", sequence=1, weight=-1.0), a_row("a", label="down", sequence=1)]
    )

    known = corrected.get("a")
    assert known is not None
    assert (known.label, known.weight) == ("down", 1.0)
    assert corrected.of_text("hash of a") == known
    held = journal.get("a")
    assert held is not None
    assert held.label == "up", "the journal before is unchanged"


def test_only_the_newest_rows_within_the_horizon_are_known() -> None:
    journal = Journal([a_row(str(number)) for number in range(5)], horizon=3)

    assert [row.id for row in journal] == ["2", "3", "4"]
    assert [row.id for row in journal.extended([a_row("5")])] == ["3", "4", "5"]
    assert journal.extended([a_row("5")]).of_text("hash of 2") is None
