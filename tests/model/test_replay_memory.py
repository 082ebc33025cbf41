"""The replay memory: learned records with their texts, those of rejected rounds apart."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.data import Record
from model.errors import ArtifactRefusedError
from model.replay_memory import ReplayMemory, ReplayRow

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def row(name: str, label: str = "a", *, sequence: int = 0, source: str | None = None) -> ReplayRow:
    record = Record(
        id=name,
        text=f"text of {name}",
        label=label,
        topic="labeled-texts",
        partition=1,
        offset=sequence * 100 + len(name),
        event_time=TIME,
        source=source,
    )
    return ReplayRow.of(record, sequence)


def memory(records: int = 9, text_bytes: int = 10_000) -> ReplayMemory:
    return ReplayMemory(records=records, text_bytes=text_bytes)


def test_parquet_brings_back_the_same_rows_and_equal_memories_give_equal_bytes() -> None:
    rows = [row("a1", source="wire"), row("b", "b", sequence=4), row("ünicöde")]
    filled = memory().add(rows)

    back = ReplayMemory.from_bytes(filled.to_bytes(), records=9, text_bytes=10_000)

    assert back.rows == filled.rows
    assert memory().add(reversed(rows)).to_bytes() == filled.to_bytes()
    empty = ReplayMemory.from_bytes(memory().to_bytes(), records=9, text_bytes=10_000)
    assert empty.rows == ()


def test_a_row_gives_its_record_back() -> None:
    record = Record("x", "some words", "up", "labeled-texts", 2, 77, TIME, "wire")

    assert ReplayRow.of(record, 5).record == record


def test_rows_are_ordered_as_they_came() -> None:
    filled = memory().add(
        [row("late", sequence=3), row("soon", sequence=1), row("mid", sequence=2)]
    )

    assert [held.id for held in filled.rows] == ["soon", "mid", "late"]


def test_rejected_rounds_push_out_nothing_that_was_learned() -> None:
    learned = memory(records=4).add([row(f"l{n}") for n in range(4)])

    both = learned.add([row(f"r{n}", sequence=1) for n in range(9)], apart={1})

    assert set(learned.rows) < set(both.rows)
    assert len(both) == 8, "they have as much room again"


def test_an_adopted_round_competes_with_what_was_learned() -> None:
    both = (
        memory(records=4)
        .add([row(f"l{n}") for n in range(4)])
        .add([row(f"r{n}", sequence=1) for n in range(4)], apart={1})
    )

    adopted = both.add([])

    assert sorted(held.sequence for held in adopted.rows) == [0, 0, 1, 1]


def test_a_rejected_correction_is_kept_beside_what_it_would_correct() -> None:
    wrong, mended = row("x", "a"), row("x", "b", sequence=3)

    apart = memory().add([wrong]).add([mended], apart={3})

    assert apart.rows == (wrong, mended)
    assert apart.add([]).rows == (mended,)
    assert apart.without({("x", 3)}).rows == (wrong,)


def test_nothing_new_returns_the_memory_itself() -> None:
    filled = memory().add([row("a"), row("b")])

    assert filled.add([row("a")]) is filled
    assert filled.without({("unknown", 0)}) is filled


@pytest.mark.parametrize("budget", [{"records": -1}, {"text_bytes": 0}])
def test_budgets_that_cannot_be_are_refused(budget: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="less than"):
        memory(**budget)


def test_a_memory_of_nothing_keeps_nothing() -> None:
    empty = memory(records=0)

    assert empty.add([row("a"), row("b")]).rows == ()


def test_other_bytes_are_refused() -> None:
    raw = memory().add([row("a1"), row("a2")]).to_bytes()
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": ["a"]}), sink)
    for bad in (b"", b"rubbish", raw[: len(raw) // 2], raw[:-1], sink.getvalue().to_pybytes()):
        with pytest.raises(ArtifactRefusedError):
            ReplayMemory.from_bytes(bad, records=9, text_bytes=9)
