"""Labels beyond the limits of a task are refused record by record, on the whole recipe."""

from dataclasses import replace
from pathlib import Path

import pytest

from consumers.announcement import announcement
from model.data import Record
from schemas.dead_letter import DeadLetter
from schemas.evaluation import Outcome
from schemas.topics import LABELED_TEXTS_DEAD
from tests.model.loop import ALWAYS, TOPIC, Loop, a_record, direct_statistics, stream

PLACE = f"{TOPIC}/0"


@pytest.fixture
def records() -> list[Record]:
    """Two labels, and at every tenth offset from 5 on a third one."""
    return [
        replace(r, label="odd" if r.offset % 10 == 5 else ("up", "down")[r.offset % 2])
        for r in stream(120)
    ]


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS, max_new_labels=2, max_labels=2)


def odd(records: list[Record]) -> tuple[int, ...]:
    return tuple(record.offset for record in records if record.label == "odd")


def test_the_entry_names_them_and_its_books_add_up(loop: Loop, records: list[Record]) -> None:
    entry = loop.learn(records[:60])

    counts = entry.evaluation.counts
    assert entry.refused == {PLACE: odd(records[:60])}
    assert entry.labels == ("up", "down")
    assert counts.learned + counts.held_out + counts.refused == 60
    assert entry.trained_through == {PLACE: 60}


def test_each_is_announced_as_a_dead_letter_the_same_one_each_time(
    loop: Loop, records: list[Record]
) -> None:
    entry = loop.learn(records[:60])

    events = announcement(loop.lineage.entry(entry.sequence), source="/tests")

    assert events == announcement(entry, source="/tests")
    letters = [DeadLetter.decode(e.value or b"") for e in events if e.topic is LABELED_TEXTS_DEAD]
    assert [(letter.topic, letter.offset) for letter in letters] == [
        (TOPIC, offset) for offset in odd(records[:60])
    ]
    assert {(x.reason, x.task, x.whole) for x in letters} == {
        ("too_many_labels", entry.task, False)
    }
    assert "max_labels = 2" in letters[0].detail


def test_a_window_of_nothing_else_is_skipped(loop: Loop, records: list[Record]) -> None:
    loop.learn(records[:60])

    entry = loop.learn([replace(record, label="odd") for record in records[60:70]])

    assert (entry.outcome, entry.evaluation.counts.refused) == (Outcome.SKIPPED, 10)
    assert "10 of labels beyond the limits" in entry.evaluation.reason


def test_a_refresh_does_not_learn_them_from_the_log(loop: Loop, records: list[Record]) -> None:
    for start in (0, 60):
        loop.learn(records[start : start + 60])
    learned = loop.state().statistics.num_records

    loop.refresh(records)

    assert loop.state().labels == ("up", "down")
    assert loop.state().statistics.num_records == pytest.approx(learned)
    assert loop.state().statistics.counts == pytest.approx(direct_statistics(loop).counts)


def test_sent_again_under_a_higher_limit_they_are_learned(
    loop: Loop, records: list[Record]
) -> None:
    loop.learn(records[:60])
    refused = [record for record in records[:60] if record.label == "odd"]
    loop.config = loop.config.model_copy(update={"max_labels": 3})
    again = [
        a_record(60 + n, text=record.text, label=record.label, record_id=record.id)
        for n, record in enumerate(refused)
    ]

    entry = loop.learn(again)

    counts = entry.evaluation.counts
    assert entry.labels == ("up", "down", "odd")
    assert (counts.learned + counts.held_out, counts.duplicates) == (len(refused), 0)
