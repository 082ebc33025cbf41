"""Every record of an update meets exactly one fate."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from model.config import HoldoutConfig, TaskConfig
from model.data import Record
from model.intake import Intake, take_in
from model.journal import Journal, Row
from model.label_limits import MOST_LABEL_BYTES
from tests.model.rows import row_of

TIME = datetime(2026, 1, 2, tzinfo=UTC)
PLACE = "labeled-texts/0"
ONE_NEW_LABEL: dict[str, Any] = {
    "journal": Journal(horizon=1000),
    "split": HoldoutConfig(),
    "config": TaskConfig(max_new_labels=1),
}


def a_record(
    offset: int, *, record_id: str | None = None, label: str = "up", text: str = ""
) -> Record:
    return Record(
        id=record_id or f"id-{offset}",
        text=text or f"text number {offset}",
        label=label,
        topic="labeled-texts",
        partition=0,
        offset=offset,
        event_time=TIME,
    )


def taken(
    records: Sequence[Record],
    *,
    rows: Sequence[Row] = (),
    through: int = 0,
    max_new_labels: int = 10,
    max_labels: int = 1000,
    conflicting_labels: Literal["keep", "newest"] = "keep",
) -> Intake:
    end = max((record.offset for record in records), default=-1) + 1
    return take_in(
        [(PLACE, end, records)],
        journal=Journal(rows, horizon=1000),
        labels=tuple(dict.fromkeys(row.label for row in rows)),
        trained_through={PLACE: through},
        split=HoldoutConfig(),
        config=TaskConfig(
            max_new_labels=max_new_labels,
            max_labels=max_labels,
            conflicting_labels=conflicting_labels,
        ),
    )


def test_records_below_trained_through_are_trimmed() -> None:
    intake = taken([a_record(offset) for offset in range(5)], through=3)

    assert [item.record.offset for item in intake.taken] == [3, 4]
    assert intake.counts.trimmed == 3
    assert intake.trained_through == {PLACE: 5}


def test_an_older_window_does_not_move_trained_through_back() -> None:
    assert taken([a_record(0)], through=9).trained_through == {PLACE: 9}


def test_a_known_id_with_the_same_label_is_a_duplicate() -> None:
    record = a_record(0)

    intake = taken([a_record(1, record_id=record.id)], rows=[row_of(record)])

    assert (intake.taken, intake.counts.duplicates) == ((), 1)


def test_the_same_id_twice_in_one_update_is_learned_once_with_its_last_label() -> None:
    intake = taken([a_record(0, record_id="a"), a_record(1, record_id="a", label="down")])

    assert [item.record.label for item in intake.taken] == ["down"]
    assert intake.counts.duplicates == 1


def test_a_known_id_with_another_label_is_a_correction() -> None:
    record = a_record(0)

    intake = taken([a_record(1, record_id=record.id, label="down")], rows=[row_of(record)])

    assert [row.label for row in intake.taken_back] == ["up"]
    assert [item.record.label for item in intake.taken] == ["down"]
    assert intake.counts.corrected == 1


def test_one_text_under_two_labels_and_ids_is_counted_as_a_conflict() -> None:
    record = a_record(0, text="Shares rose")

    intake = taken([a_record(1, text="shares  ROSE", label="down")], rows=[row_of(record)])

    assert intake.counts.conflicting == 1


def test_one_text_under_two_ids_and_one_label_is_learned_and_counted_as_repeated() -> None:
    record = a_record(0, text="Shares rose")
    stream = [
        a_record(1, text="shares  ROSE"),
        a_record(2, text="Shares fell"),
        a_record(3, text="shares fell"),
    ]

    intake = taken(stream, rows=[row_of(record)])

    assert len(intake.taken) == 3
    assert (intake.counts.repeated, intake.counts.conflicting) == (2, 0)


def test_of_conflicting_labels_the_newest_stands_where_the_config_says_so() -> None:
    older = a_record(0, text="Shares rose")
    stream = [
        a_record(1, text="shares  ROSE", label="down"),
        a_record(2, text="Shares Rose", label="flat"),
    ]

    kept = taken(stream, rows=[row_of(older)])
    newest = taken(stream, rows=[row_of(older)], conflicting_labels="newest")

    assert [item.record.label for item in kept.taken] == ["down", "flat"]
    assert kept.taken_back == ()
    assert [item.record.label for item in newest.taken] == ["flat"]
    assert [row.id for row in newest.taken_back] == [older.id]
    assert (kept.counts.conflicting, newest.counts.conflicting) == (2, 2)
    assert newest.counts.duplicates == 1


def test_new_labels_go_behind_the_known_ones_in_order_of_arrival() -> None:
    rows = [row_of(a_record(0, label="up"))]

    intake = taken([a_record(1, label="flat"), a_record(2, label="down")], rows=rows)

    assert intake.labels == ("up", "flat", "down")


def test_records_of_new_labels_beyond_the_limit_are_refused_and_the_window_goes_on() -> None:
    records = [a_record(offset, label=f"label {offset % 6}") for offset in range(12)]

    intake = taken(records, max_new_labels=5)

    assert intake.labels == tuple(f"label {number}" for number in range(5))
    assert intake.refused == {PLACE: (5, 11)}
    assert intake.counts.refused == 2
    assert [item.record.offset for item in intake.taken] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert intake.trained_through == {PLACE: 12}


def test_known_labels_are_never_refused() -> None:
    rows = [row_of(a_record(offset, label=f"label {offset}")) for offset in range(6)]
    records = [a_record(10 + offset, label=f"label {offset}") for offset in range(6)]

    assert taken(records, rows=rows, max_new_labels=1, max_labels=2).refused == {}


def test_a_task_has_no_more_labels_than_its_limit_however_slowly_they_come() -> None:
    rows = [row_of(a_record(offset, label=f"label {offset}")) for offset in range(3)]

    intake = taken([a_record(7, label="new"), a_record(8, label="newer")], rows=rows, max_labels=4)

    assert (intake.labels[3:], intake.refused) == (("new",), {PLACE: (8,)})


def test_labels_have_a_limit_in_bytes_so_that_events_that_name_all_of_them_can_be_sent() -> None:
    records = [a_record(offset, label=f"{offset:04d}".ljust(200, "\x01")) for offset in range(600)]

    intake = taken(records, max_new_labels=1000, max_labels=10_000)

    assert len(json.dumps(intake.labels)) <= MOST_LABEL_BYTES + len(intake.labels)
    assert len(intake.labels) + intake.counts.refused == 600
    assert intake.counts.refused > 0


def test_the_limit_on_new_labels_holds_for_each_window_of_an_update() -> None:
    windows = [[a_record(2 * n + m, label=f"{n} {m}") for m in range(2)] for n in range(3)]
    whole = [(PLACE, records[-1].offset + 1, records) for records in windows]

    together = take_in(whole, labels=(), trained_through={}, **ONE_NEW_LABEL)

    labels: tuple[str, ...] = ()
    refused: list[int] = []
    for window in whole:
        alone = take_in([window], labels=labels, trained_through={}, **ONE_NEW_LABEL)
        labels = alone.labels
        refused += alone.refused[PLACE]
    assert together.labels == labels == ("0 0", "1 0", "2 0")
    assert together.refused == {PLACE: tuple(refused)}


def test_a_refused_record_leaves_its_id_unknown() -> None:
    first = a_record(0, record_id="a", label="up")
    records = [first, a_record(1, record_id="a", label="odd"), a_record(2, label="odd")]

    intake = taken(records, max_new_labels=1)

    assert [item.record for item in intake.taken] == [first]
    assert (intake.counts.duplicates, intake.counts.refused) == (0, 2)


def test_repeats_of_a_text_fall_on_the_same_side() -> None:
    intake = taken([a_record(offset, text="Same words") for offset in range(20)])

    assert len({item.part for item in intake.taken}) == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from(["up", "down", "flat"])),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 30),
    st.lists(st.integers(0, 8), max_size=5, unique=True),
)
def test_every_record_is_counted_exactly_once(
    stream: list[tuple[int, str]], through: int, already: list[int]
) -> None:
    records = [
        a_record(offset, record_id=f"id-{number}", label=label)
        for offset, (number, label) in enumerate(stream)
    ]
    rows = [row_of(a_record(0, record_id=f"id-{number}")) for number in already]

    counts = taken(records, rows=rows, through=through, max_new_labels=1).counts

    books = counts.learned + counts.held_out + counts.duplicates + counts.skipped + counts.trimmed
    assert books + counts.refused == len(records)
