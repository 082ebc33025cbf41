"""A failed window's records are sent again as the log holds them, the window marked behind them."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from consumers import redrive
from consumers.dead_letter_log import DeadLetterLog, Selection
from consumers.dead_letter_tables import plan_lines, report_lines
from consumers.publisher import BrokerUnavailableError
from consumers.settings import Settings
from schemas.base import Span
from schemas.dead_letter import DeadLetter
from schemas.labeled_text import REDRIVEN_FROM
from schemas.window import CloseReason, TrainingWindow, digest_ids
from tests.consumers.raw import labeled, raw
from tests.consumers.redriving import Producer, marks, redriven
from tests.consumers.test_dead_letter_log import NOW, letter, log_of

WINDOW = "training-windows/0/1"
"""Where the window that failed stood."""
# A window over offsets 2 to 6: one record with an id of its own, one of another task, a bad one.
HELD = {
    2: labeled(text="a"),
    3: labeled(text="b", id="own"),
    4: labeled(text="c", task="other"),
    5: b"{",
    6: labeled(text="d"),
}
IDS = ("labeled-texts/0/2", "own", "labeled-texts/0/6")


def failed(*, offset: int = 1) -> DeadLetter:
    """The letter of the window, which stood at this offset."""
    window = TrainingWindow(
        window_id="mood/labeled-texts/0/2-7",
        task="mood",
        span=Span(topic="labeled-texts", partition=0, start=2, end=7),
        num_records=len(IDS),
        digest=digest_ids(IDS),
        label_counts={"up": 3},
        opened_at=NOW,
        closed_at=NOW,
        last_appended_at=NOW,
        reason=CloseReason.COUNT,
    )
    dead = letter(offset, window.encode(), reason="window_failed")
    return dead.model_copy(update={"topic": "training-windows"})


def log_with(
    letters: Iterable[DeadLetter],
    held: Mapping[int, bytes],
    *,
    own: list[DeadLetter] | None = None,
    first: int = 0,
    **settings: Any,
) -> DeadLetterLog:
    """Letters of windows and records, and what the log holds by now; it begins at `first`."""
    log = log_of(
        own or [],
        training_windows__dead_letters=[
            raw(each.encode(), topic="training-windows.dead-letters", offset=n)
            for n, each in enumerate(letters)
        ],
        labeled_texts=[raw(value, offset=offset) for offset, value in held.items()],
    )
    log._reader.first = first  # type: ignore[attr-defined]
    log._settings = Settings(**settings)
    return log


def test_of_a_window_that_failed_the_records_are_sent_and_the_window_is_marked(
    producer: Producer,
) -> None:
    held = {1: labeled(text="before"), **HELD, 7: labeled(text="behind")}
    log = log_with([failed()], held)
    assert list(plan_lines(log.headings(Selection()))) == [
        "would send the records of training-windows/0/1 again (window_failed)",
        "letters: 1 would be sent again; 0 were sent before",
    ]

    report = redriven(log)

    assert marks(producer) == [WINDOW]
    assert report.sent == {WINDOW: "labeled-texts/0/103"}
    assert list(report_lines(report)) == [
        f"3 records of {WINDOW} are sent again, the last as labeled-texts/0/103",
        "letters: 1 sent again (3 records); 0 were sent before; 0 kept",
    ]
    assert (report.kept, report.gone) == ({}, {})
    records = [record for record in producer.sent if record.topic == "labeled-texts"]
    assert [record.value for record in records] == [HELD[2], HELD[3], HELD[6]]
    assert [record.headers for record in records] == [
        [(REDRIVEN_FROM, f"labeled-texts/0/{offset}".encode())] for offset in (2, 3, 6)
    ]


def test_of_a_window_what_retention_has_left_is_sent_and_the_rest_is_counted(
    producer: Producer,
) -> None:
    report = redriven(log_with([failed()], {6: HELD[6]}, first=4))

    assert [record.value for record in producer.sent][:1] == [HELD[6]]
    assert report.gone == {WINDOW: 2}
    told = list(report_lines(report))
    assert f"{WINDOW} had 2 records more, which the log holds no more" in told
    assert told[-1] == "letters: 1 sent again (1 record); 0 were sent before; 0 kept"


@pytest.mark.parametrize(("first", "number"), [(0, 2), (2, 2), (3, 1)])
def test_a_window_of_which_the_limits_here_refuse_records_is_kept_and_the_limits_are_named(
    first: int, number: int, producer: Producer
) -> None:
    """Where retention has deleted one record, it is not to blame for two."""
    held = {offset: value for offset, value in HELD.items() if offset >= first}
    held[6] = labeled(text="longer")
    report = redriven(log_with([failed()], held, first=first, max_text_chars=1))

    assert (producer.sent, report.sent, report.gone) == ([], {}, {})
    why = report.kept[WINDOW]
    assert f"labeled-texts/0/2-7 holds {number} valid records of mood, the window says 3" in why
    assert "redrive it with the limits that the windows role had (max_record_bytes, " in why
    assert f"{WINDOW} is kept: {why}" in list(report_lines(report))


@pytest.mark.parametrize(
    ("held", "first", "why"),
    [
        ({}, 7, "the log holds no record of labeled-texts/0/2-7 any more"),
        ({}, 0, "holds 0 valid records of mood, the window says 3"),
        ({**HELD, 6: labeled(text="e", id="new")}, 0, "says 3 with other ids"),
        ({**HELD, 4: labeled(text="c")}, 0, "holds 4 valid records of mood, the window says 3"),
        ({**HELD, 4: labeled(text="c")}, 3, "holds 4 valid records of mood, the window says 3"),
    ],
    ids=["deleted", "made anew", "another", "more", "more than retention can have left"],
)
def test_a_window_whose_span_holds_nothing_or_other_records_is_kept(
    held: Mapping[int, bytes], first: int, why: str, producer: Producer
) -> None:
    report = redriven(log_with([failed()], held, first=first))
    assert why in report.kept[WINDOW]
    assert (producer.sent, report.sent) == ([], {})


def test_a_window_is_sent_apart_from_other_letters_with_a_chunk_of_its_records_in_flight(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "CHUNK", 2)
    log = log_with([failed(offset=1), failed(offset=2)], HELD)

    report = redriven(log)

    one_window = [
        ("sent", "labeled-texts"),
        ("sent", "labeled-texts"),
        ("awaited", "labeled-texts"),
        ("sent", "labeled-texts"),
        ("awaited", "labeled-texts"),
        ("awaited", "labeled-texts"),
        ("sent", "redriven"),
        ("awaited", "redriven"),
    ]
    assert producer.story == [*one_window, *one_window, ("closed", "")]
    assert list(report.sent) == marks(producer) == [WINDOW, "training-windows/0/2"]


def test_the_records_of_a_window_are_read_as_they_are_sent(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_with([failed()], HELD)
    due = log.due(failed())
    read: list[int] = []
    between = log._reader.between
    monkeypatch.setattr(
        log._reader,
        "between",
        lambda *span: (read.append(r.offset) or r for r in between(*span)),  # type: ignore[func-returns-value]
    )

    assert next(iter(due.records)).value == HELD[2]
    assert read == [2]


@pytest.mark.parametrize("chunk", [1, 50])
def test_after_a_crash_between_its_records_a_window_is_not_marked(
    chunk: int, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "CHUNK", chunk)
    producer.faults[HELD[6]] = KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        redriven(log_with([failed()], HELD))

    assert HELD[2] in [record.value for record in producer.sent]
    assert marks(producer) == []


@pytest.mark.parametrize("chunk", [1, 50])
def test_a_window_of_which_the_broker_did_not_take_every_record_is_not_marked(
    chunk: int, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "CHUNK", chunk)
    producer.faults[HELD[3]] = KafkaTimeoutError("no answer")
    with pytest.raises(BrokerUnavailableError, match="0 letters were sent again and marked"):
        redriven(log_with([failed()], HELD))
    assert marks(producer) == []


@pytest.mark.parametrize("chunk", [1, 50])
def test_a_window_of_which_the_topic_does_not_take_a_record_is_kept(
    chunk: int, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "CHUNK", chunk)
    producer.faults[HELD[3]] = MessageSizeTooLargeError("2 MB")
    report = redriven(log_with([failed()], HELD))
    assert "a record is larger than its topic takes" in report.kept[WINDOW]
    assert (marks(producer), report.records) == ([], {})


def test_a_window_that_retention_deletes_while_it_is_sent_is_kept(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_with([failed()], HELD)
    begins = log._reader.begins

    def deleting(topic: str, partition: int) -> int:
        log._reader.held["labeled-texts"].pop(0)  # type: ignore[attr-defined]
        return begins(topic, partition)

    monkeypatch.setattr(log._reader, "begins", deleting)
    report = redriven(log)
    assert "retention deletes labeled-texts/0/2-7 while it is sent" in report.kept[WINDOW]
    assert marks(producer) == []


def test_retention_is_not_to_blame_for_what_the_limits_here_refuse(producer: Producer) -> None:
    """It deleted three records, one of them of another task; the third of this task is there."""
    held = {5: HELD[5], 6: labeled(text="longer")}
    report = redriven(log_with([failed()], held, first=5, max_text_chars=1))

    assert (producer.sent, report.sent) == ([], {})
    assert "the limits here refuse labeled-texts/0/6" in report.kept[WINDOW]


def test_what_has_a_letter_of_its_own_keeps_no_window_back(producer: Producer) -> None:
    """It was refused before the window was closed, too, and is none of its records."""
    held = {3: HELD[3], 4: labeled(text="longer"), 6: HELD[6]}
    refused = letter(4, held[4], reason="text_too_long")
    report = redriven(log_with([failed()], held, own=[refused], first=3, max_text_chars=1))

    assert [record.value for record in producer.sent][:2] == [HELD[3], HELD[6]]
    assert report.gone == {WINDOW: 1}
