import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import ArtifactRefusedError
from model.holdout import HoldoutMemory, HoldoutRow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(name: str, label: str = "a", sequence: int = 0, source: str | None = None) -> HoldoutRow:
    return HoldoutRow(
        id=name,
        text=f"text of {name}",
        label=label,
        part="judge" if len(name) % 2 else "select",
        sequence=sequence,
        event_time=NOON + timedelta(microseconds=sequence),
        source=source,
    )


IDS = st.text("xyz12", min_size=1, max_size=4)
ROWS = st.dictionaries(IDS, st.tuples(st.sampled_from("aaab"), st.integers(0, 9)), max_size=40).map(
    lambda drawn: tuple(row(name, *rest) for name, rest in drawn.items())
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, capacity=st.integers(1, 12), data=st.data())
def test_order_redelivery_and_batches_do_not_change_what_is_kept(
    rows: tuple[HoldoutRow, ...], capacity: int, data: st.DataObject
) -> None:
    at_once = HoldoutMemory(capacity=capacity).add(rows)
    again = data.draw(st.lists(st.sampled_from(rows), max_size=10)) if rows else []
    stream = data.draw(st.permutations([*rows, *again]))
    one_by_one = HoldoutMemory(capacity=capacity)
    for each in stream:
        one_by_one = one_by_one.add([each])
    assert one_by_one.rows == at_once.rows


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, capacity=st.integers(1, 12), cut=st.integers(0, 40))
def test_merging_two_memories_equals_filling_one(
    rows: tuple[HoldoutRow, ...], capacity: int, cut: int
) -> None:
    left = HoldoutMemory(capacity=capacity).add(rows[:cut])
    right = HoldoutMemory(capacity=capacity).add(rows[cut:])
    assert left.add(right.rows).rows == HoldoutMemory(capacity=capacity).add(rows).rows


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, capacity=st.integers(1, 12), limits=st.lists(st.integers(0, 11), max_size=4))
def test_recent_records_are_kept_beside_the_budget_until_they_age(
    rows: tuple[HoldoutRow, ...], capacity: int, limits: list[int]
) -> None:
    memory = HoldoutMemory(capacity=capacity)
    arriving = sorted(rows, key=lambda held: held.sequence)
    for limit in sorted(limits):
        memory = memory.add([r for r in arriving if r.sequence < limit + 2], recent_from=limit)
        arriving = [r for r in arriving if r.sequence >= limit + 2]
    end = max(limits, default=0)
    memory = memory.add(arriving, recent_from=end)
    assert set(memory.recent(end)) == {r for r in rows if r.sequence >= end}
    aged = HoldoutMemory(capacity=capacity).add(r for r in rows if r.sequence < end)
    assert memory.older(end) == aged.rows


def test_a_memory_of_one_keeps_the_first_record() -> None:
    memory = HoldoutMemory(capacity=1).add([row("first")])
    assert [held.id for held in memory.rows] == ["first"]


def test_it_is_filled_to_the_very_last_place() -> None:
    rows = [row(f"r{index}") for index in range(5)]
    assert len(HoldoutMemory(capacity=5).add(rows)) == 5
    assert len(HoldoutMemory(capacity=4).add(rows)) == 4
    assert len(HoldoutMemory(capacity=6).add(rows)) == 5


def test_every_place_in_the_stream_is_kept_with_the_same_probability() -> None:
    kept: Counter[int] = Counter()
    for trial in range(1500):
        rows = [row(f"{trial}-{place}") for place in range(6)]
        memory = HoldoutMemory(capacity=2)
        for each in rows:
            memory = memory.add([each])
        kept.update(rows.index(held) for held in memory.rows)
    # 1/3 each; four standard errors are 0.049.
    for place in range(6):
        assert kept[place] / 1500 == pytest.approx(1 / 3, abs=0.05)


def test_labels_share_evenly_and_large_ones_take_what_small_ones_leave() -> None:
    rows = [row(f"a{i}", "a") for i in range(50)] + [row(f"b{i}", "b") for i in range(50)]
    rows += [row("c0", "c"), row("c1", "c")]
    counts = Counter(held.label for held in HoldoutMemory(capacity=22).add(rows).rows)
    assert counts == {"a": 10, "b": 10, "c": 2}


def test_a_new_label_gets_its_share_of_a_full_memory() -> None:
    memory = HoldoutMemory(capacity=10).add(row(f"a{i}") for i in range(30))
    grown = memory.add(row(f"b{i}", "b") for i in range(30))
    assert Counter(held.label for held in grown.rows) == {"a": 5, "b": 5}


def test_more_labels_than_places_keep_one_record_each_at_most() -> None:
    memory = HoldoutMemory(capacity=3).add(row(f"{c}{i}", c) for c in "abcdef" for i in range(4))
    assert sorted(Counter(held.label for held in memory.rows).values()) == [1, 1, 1]


def test_nothing_new_returns_the_memory_itself() -> None:
    memory = HoldoutMemory(capacity=3).add([row("a1"), row("a2")])
    assert memory.add([row("a1")]) is memory
    assert memory.remove(["unknown"]) is memory


def test_a_redelivered_record_keeps_the_sequence_it_first_came_with() -> None:
    early, late = row("a1", sequence=2), row("a1", sequence=7)
    for order in itertools.permutations([early, late]):
        assert HoldoutMemory(capacity=3).add(order).rows == (early,)


def test_a_corrected_label_replaces_the_old_one() -> None:
    wrong, mended = row("a1", "a", sequence=2), row("a1", "b", sequence=7)
    for order in itertools.permutations([wrong, mended]):
        assert HoldoutMemory(capacity=3).add(order).rows == (mended,)


def test_removed_records_are_gone() -> None:
    memory = HoldoutMemory(capacity=9).add([row("a1"), row("a2"), row("a3")])
    assert [held.id for held in memory.remove(["a1", "a3"]).rows] == ["a2"]
    assert len(memory) == 3


def test_parts_and_ages_divide_the_rows() -> None:
    memory = HoldoutMemory(capacity=99).add(row("x" * (i + 1), sequence=i) for i in range(8))
    assert {held.sequence for held in memory.recent(5)} == {5, 6, 7}
    assert {held.sequence for held in memory.older(5)} == {0, 1, 2, 3, 4}
    assert len(memory.part("select")) + len(memory.part("judge")) == 8
    assert all(held.part == "judge" for held in memory.part("judge"))


def test_parquet_brings_back_the_same_rows_and_equal_memories_give_equal_bytes() -> None:
    rows = [row("a1", source="wire"), row("b", "b", 4), row("\u00fcnic\u00f6de")]
    memory = HoldoutMemory(capacity=9).add(rows)
    back = HoldoutMemory.from_bytes(memory.to_bytes(), capacity=9)
    assert back.rows == memory.rows
    assert HoldoutMemory(capacity=9).add(reversed(rows)).to_bytes() == memory.to_bytes()
    empty = HoldoutMemory(capacity=1)
    assert HoldoutMemory.from_bytes(empty.to_bytes(), capacity=1).rows == ()


def test_other_bytes_are_refused() -> None:
    raw = HoldoutMemory(capacity=9).add([row("a1"), row("a2")]).to_bytes()
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": ["a"]}), sink)
    for bad in (b"", b"rubbish", raw[: len(raw) // 2], raw[:-1], sink.getvalue().to_pybytes()):
        with pytest.raises(ArtifactRefusedError):
            HoldoutMemory.from_bytes(bad, capacity=9)


def test_the_budget_of_bytes_holds_for_all_but_recent_records() -> None:
    rows = [row(f"r{index}", sequence=index // 10) for index in range(30)]
    memory = HoldoutMemory(capacity=99, text_bytes=50).add(rows, recent_from=2)

    assert len(memory.recent(2)) == 10
    assert 0 < sum(len(held.text) for held in memory.older(2)) <= 50
    assert HoldoutMemory.from_bytes(
        memory.to_bytes(), capacity=99, text_bytes=50
    ).add([], recent_from=2).rows == memory.rows  # fmt: skip


def test_sources_share_a_label_evenly() -> None:
    rows = [row(f"w{index}", source="wire") for index in range(30)]
    rows += [row(f"b{index}", source="web") for index in range(10)]

    counts = Counter(held.source for held in HoldoutMemory(capacity=10).add(rows).rows)

    assert counts == {"wire": 5, "web": 5}


def test_a_memory_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        HoldoutMemory(capacity=0)
