"""Dead letters are found, each record once, without their bytes; a part is completed in the log."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.dead_letter_log import DeadLetterLog, RecordGoneError, Selection, task_of
from consumers.dead_letters import MAX_VALUE_BYTES, dead_letter_of
from consumers.publisher import MissingTopicError
from consumers.redrive import redriven_headers
from consumers.settings import Settings
from schemas.dead_letter import DeadLetter
from schemas.labeled_text import REDRIVEN_FROM, record_id
from schemas.redriven import Redriven
from tests.consumers.raw import labeled, raw

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DEAD = "labeled-texts.dead-letters"


class Topics:
    """A `TopicReader` over lists; `first` is where the logs begin by now."""

    first = 0

    def __init__(self, **held: list[Any]) -> None:
        self.held = {name.replace("__", ".").replace("_", "-"): all_ for name, all_ in held.items()}

    def records(self, topic: str) -> Iterator[Any]:
        if topic not in self.held:
            raise MissingTopicError(topic)
        yield from self.held[topic]

    def record(self, topic: str, _partition: int, offset: int) -> Any | None:
        return next((r for r in self.held.get(topic, ()) if r.offset == offset), None)

    def begins(self, _topic: str, _partition: int) -> int:
        return self.first

    def between(self, topic: str, _partition: int, start: int, end: int) -> Iterator[Any]:
        yield from (r for r in self.held.get(topic, ()) if start <= r.offset < end)


def letter(offset: int, value: bytes | None, *, reason: str = "invalid_json") -> DeadLetter:
    now = NOW + timedelta(minutes=offset)
    return dead_letter_of(raw(value, offset=offset), reason=reason, detail="why", now=now)


def log_of(letters: list[DeadLetter], **more: list[Any]) -> DeadLetterLog:
    dead = [raw(each.encode(), topic=DEAD, offset=n) for n, each in enumerate(letters)]
    topics = {"labeled_texts__dead_letters": dead, "texts__dead_letters": []}
    topics["training_windows__dead_letters"] = []
    return DeadLetterLog(Settings(), Topics(**{**topics, "redriven": [], **more}))  # type: ignore[arg-type]


def test_a_record_is_listed_once_however_often_its_letter_was_published() -> None:
    headings = log_of([letter(1, b"{"), letter(3, b"{"), letter(1, b"{")]).headings(Selection())
    assert [(h.origin, h.stands) for h in headings] == [
        ("labeled-texts/0/1", (DEAD, 0, 2)),
        ("labeled-texts/0/3", (DEAD, 0, 1)),
    ]


def test_letters_are_chosen_by_topic_task_reason_time_and_origin() -> None:
    log = log_of([letter(1, b"{"), letter(2, labeled(text=""), reason="empty_text")])
    chosen = {
        "topic": Selection(topic="texts"),
        "task": Selection(task="mood"),
        "reason": Selection(reason="invalid_json"),
        "since": Selection(since=NOW + timedelta(minutes=1.5)),
        "origins": Selection(origins=["labeled-texts/0/1"]),
        "both": Selection(task="mood", reason="invalid_json"),
    }
    found = {name: [h.origin[-1] for h in log.headings(each)] for name, each in chosen.items()}
    assert found == {
        "topic": [],
        "task": ["2"],
        "reason": ["1"],
        "since": ["2"],
        "origins": ["1"],
        "both": [],
    }


def test_what_was_sent_again_says_where_it_stands_now() -> None:
    mark = Redriven(
        origin="labeled-texts/0/1",
        topic="labeled-texts",
        partition=0,
        offset=9,
        who="ada",
        redriven_at=NOW,
    )
    log = log_of([letter(1, b"{"), letter(2, b"{")], redriven=[raw(mark.encode()), raw(b"?")])
    assert [h.redriven_to for h in log.headings(Selection())] == ["labeled-texts/0/9", None]


def test_records_that_are_no_dead_letters_are_counted_and_passed_over() -> None:
    log = log_of([letter(1, b"{")], texts__dead_letters=[raw(b"?"), raw(None)])
    assert len(log.headings(Selection())) == 1
    assert log.unreadable == 2


def test_an_installation_without_the_topic_of_marks_can_list() -> None:
    log = log_of([letter(1, b"{")])
    del log._reader.held["redriven"]  # type: ignore[attr-defined]
    assert len(log.headings(Selection())) == 1


def test_a_whole_letter_is_its_own_record() -> None:
    headers = (("ce_id", b"1"),)
    record = replace(raw(b"{", key=None), headers=headers)
    log = log_of([dead_letter_of(record, reason="r", detail="why", now=NOW)])
    original = log.original(log.letter(log.headings(Selection())[0]))
    assert (original.key, original.value, original.headers) == (None, b"{", headers)


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_letter_has_a_part_of_is_read_from_the_log(whole: bool) -> None:
    """Letters of earlier versions do not say that they were cut."""
    record = replace(raw(b"x" * (MAX_VALUE_BYTES + 1)), headers=[("ce_id", b"1")])
    cut = dead_letter_of(record, reason="r", detail="why", now=NOW)
    log = log_of([], labeled_texts=[record])
    assert log.original(cut.model_copy(update={"whole": whole})).value == record.value


def test_a_part_whose_record_is_gone_or_another_is_not_completed() -> None:
    cut = letter(7, b"{half").model_copy(update={"whole": False})
    with pytest.raises(RecordGoneError, match="holds it no more"):
        log_of([]).original(cut)
    with pytest.raises(RecordGoneError, match="another record"):
        log_of([], labeled_texts=[raw(b"[", offset=7)]).original(cut)


@pytest.mark.parametrize(
    ("value", "task"),
    [
        (labeled(), "mood"),
        (b'{"task": "Not A Task"}', None),
        (b'{"task": 7}', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_the_task_of_a_letter_is_what_its_value_names(value: bytes | None, task: str) -> None:
    assert task_of(value) == task


def test_a_record_keeps_its_id_however_often_it_is_sent_again() -> None:
    at = {"topic": "labeled-texts", "partition": 0}
    once = redriven_headers([("ce_id", b"1")], record_id(None, **at, offset=7))  # type: ignore[arg-type]
    assert once == (("ce_id", b"1"), (REDRIVEN_FROM, b"labeled-texts/0/7"))
    again = redriven_headers(once, record_id(None, **at, offset=20))  # type: ignore[arg-type]
    assert again == once
    assert record_id(None, **at, offset=30, headers=again) == "labeled-texts/0/7"  # type: ignore[arg-type]
    assert record_id("own", **at, offset=30, headers=again) == "own"  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, b"", b"\xff/0/1", b"a/b/c", b"a/0/1\n", b"x" * 300])
def test_a_header_that_names_no_place_is_passed_over(value: bytes | None) -> None:
    found = record_id(None, topic="t", partition=0, offset=1, headers=[(REDRIVEN_FROM, value)])
    assert found == "t/0/1"


def test_what_is_no_letter_is_counted_once_however_often_one_looks() -> None:
    log = log_of([])
    log._reader.held[DEAD] = [raw(b"junk", topic=DEAD, offset=0)]  # type: ignore[attr-defined]
    for _ in range(2):
        log.headings(Selection())
    assert log.unreadable == 1
