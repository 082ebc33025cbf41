"""Which records a memory keeps: balanced, within its budgets, whatever the order."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from model.reservoir import merged, selected

KEY = b"test"
NO_LIMIT = 10**9


@dataclass(frozen=True)
class Kept:
    id: str
    text: str
    label: str
    source: str | None = None
    sequence: int = 0
    event_time: datetime = datetime(2026, 1, 1, tzinfo=UTC)


def kept(rows: list[Kept], *, records: int, text_bytes: int = NO_LIMIT) -> list[Kept]:
    return selected(merged(rows), records=records, text_bytes=text_bytes, key=KEY)


ROWS = st.lists(
    st.builds(
        lambda name, label, source, sequence: Kept(
            name, f"text of {name}", label, source, sequence
        ),
        st.text("xyz12", min_size=1, max_size=4),
        st.sampled_from("aaab"),
        st.sampled_from(["wire", "wire", "web", None]),
        st.integers(0, 3),
    ),
    max_size=40,
    unique_by=lambda row: row.id,
)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, records=st.integers(1, 12), data=st.data())
def test_order_redelivery_and_splits_do_not_change_what_is_kept(
    rows: list[Kept], records: int, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(rows), max_size=10)) if rows else []
    stream = data.draw(st.permutations([*rows, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    memory: list[Kept] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        memory = kept([*memory, *stream[start:end]], records=records)

    assert sorted(memory, key=lambda row: row.id) == sorted(
        kept(rows, records=records), key=lambda row: row.id
    )


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, records=st.integers(1, 12), text_bytes=st.integers(1, 120))
def test_both_budgets_hold_and_what_is_kept_is_kept_again(
    rows: list[Kept], records: int, text_bytes: int
) -> None:
    memory = kept(rows, records=records, text_bytes=text_bytes)

    assert len(memory) <= records
    assert sum(len(row.text.encode()) for row in memory) <= text_bytes
    assert kept(memory, records=records, text_bytes=text_bytes) == memory
    assert len(memory) == len(kept(rows, records=records)) or any(
        sum(len(row.text.encode()) for row in [*memory, left]) > text_bytes
        for left in set(rows) - set(memory)
    ), "nothing that fits is left out"


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, records=st.integers(1, 12))
def test_no_label_and_no_slice_of_a_label_is_more_than_one_ahead_of_one_that_lacks_records(
    rows: list[Kept], records: int
) -> None:
    memory = kept(rows, records=records)

    for of in (lambda row: row.label, lambda row: (row.label, row.source or row.sequence)):
        offered, held = Counter(map(of, rows)), Counter(map(of, memory))
        short = [group for group in offered if held[group] < offered[group]]
        for group in short:
            rivals = [held[other] for other in held if other[0] == group[0] or len(group) == 1]
            assert max(rivals, default=0) <= held[group] + 1


def test_sources_share_a_label_evenly_and_large_ones_take_what_small_ones_leave() -> None:
    rows = [Kept(f"w{n}", f"w {n}", "a", "wire") for n in range(50)]
    rows += [Kept(f"b{n}", f"b {n}", "a", "web") for n in range(50)]
    rows += [Kept(f"m{n}", f"m {n}", "a", "mail") for n in range(2)]

    counts = Counter(row.source for row in kept(rows, records=22))

    assert counts == {"wire": 10, "web": 10, "mail": 2}


def test_without_a_source_the_rounds_share_evenly() -> None:
    rows = [Kept(f"{n}", f"text {n}", "a", None, n // 90) for n in range(100)]

    assert Counter(row.sequence for row in kept(rows, records=8)) == {0: 4, 1: 4}


def test_a_text_is_kept_once_under_each_label_and_the_first_to_come_stays() -> None:
    rows = [
        Kept("late", "Shares  ROSE", "up", "wire", 4),
        Kept("first", "shares rose", "up", "wire", 2),
        Kept("other", "shares rose", "down", "wire", 3),
    ]

    assert {row.id for row in kept(rows, records=9)} == {"first", "other"}


def test_a_text_that_does_not_fit_is_passed_over() -> None:
    rows = [Kept("long", "x" * 100, "a"), Kept("short", "y", "b"), Kept("brief", "z", "c")]

    assert {row.id for row in kept(rows, records=3, text_bytes=50)} == {"short", "brief"}


def test_two_keys_are_two_samples() -> None:
    rows = [Kept(f"{n}", f"text {n}", "a") for n in range(200)]
    one, two = (
        {row.id for row in selected(rows, records=50, text_bytes=NO_LIMIT, key=key)}
        for key in (b"one", b"two")
    )
    assert len(one & two) < 30, "12.5 are expected by chance"
