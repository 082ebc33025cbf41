"""Records are sent again and awaited, and only then marked; what cannot be sent is named."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from consumers import redrive
from consumers.dead_letter_log import DeadLetterLog, Selection
from consumers.dead_letter_tables import plan_lines, report_lines
from consumers.publisher import BrokerUnavailableError, MissingTopicError
from consumers.redrive import Redriver
from consumers.settings import Settings
from schemas.base import Span
from schemas.labeled_text import REDRIVEN_FROM
from schemas.redriven import Redriven
from schemas.window import CloseReason, TrainingWindow, digest_ids
from tests.consumers.raw import labeled, raw
from tests.consumers.test_dead_letter_log import NOW, letter, log_of


class Producer:
    """Notes what is sent and awaited; `faults` by value, `refused` by value or topic."""

    def __init__(self, *, topics: tuple[str, ...] = ("labeled-texts", "redriven")) -> None:
        self.story: list[tuple[str, Any]] = []
        self.sent: list[SimpleNamespace] = []
        self.faults: dict[bytes, Exception] = {}
        self.refused: set[bytes | str] = set()
        self._topics = topics

    def partitions_for(self, topic: str) -> set[int]:
        if topic not in self._topics:  # what the client does, after it has waited
            raise KafkaTimeoutError("no metadata")
        return {0}

    def send(self, topic: str, **fields: Any) -> Any:
        record = SimpleNamespace(topic=topic, **fields)
        if record.value in self.refused or topic in self.refused:
            raise KafkaTimeoutError("no room in the buffer")
        self.sent.append(record)
        self.story.append(("sent", topic))

        def get(timeout: float) -> Any:
            assert timeout > 0
            self.story.append(("awaited", topic))
            if record.value in self.faults:
                raise self.faults[record.value]
            return SimpleNamespace(topic=topic, partition=0, offset=100 + len(self.sent))

        return SimpleNamespace(get=get)

    def close(self, **_: Any) -> None:
        self.story.append(("closed", ""))


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    made = Producer()
    monkeypatch.setattr(redrive, "KafkaProducer", lambda **_: made)
    return made


def marks(producer: Producer) -> list[str]:
    sent = [record for record in producer.sent if record.topic == "redriven"]
    assert [record.key.decode() for record in sent] == [
        Redriven.decode(record.value).origin for record in sent
    ]
    return [record.key.decode() for record in sent]


def redriven(log: DeadLetterLog) -> redrive.RedriveReport:
    with Redriver(Settings(), log, who="ada") as redriver:
        return redriver.redrive(log.headings(Selection()))


def test_all_are_sent_and_awaited_before_the_first_is_marked(producer: Producer) -> None:
    report = redriven(log_of([letter(1, b"{"), letter(2, None)]))

    assert producer.story == [
        ("sent", "labeled-texts"),
        ("sent", "labeled-texts"),
        ("awaited", "labeled-texts"),
        ("sent", "redriven"),
        ("awaited", "labeled-texts"),
        ("sent", "redriven"),
        ("awaited", "redriven"),
        ("awaited", "redriven"),
        ("closed", ""),
    ]
    assert list(report.sent) == marks(producer) == ["labeled-texts/0/1", "labeled-texts/0/2"]
    first, second = producer.sent[:2]
    assert (first.key, first.value, second.value) == (b"a", b"{", None)
    assert first.headers == [(REDRIVEN_FROM, b"labeled-texts/0/1")]
    assert first.partition == 0


def test_what_is_marked_is_not_sent_again(producer: Producer) -> None:
    letters = [letter(1, b"{"), letter(2, b"[")]
    redriven(log_of(letters))
    held = [raw(record.value) for record in producer.sent if record.topic == "redriven"]
    producer.sent.clear()

    report = redriven(log_of(letters, redriven=held[:1]))

    assert report.before == ["labeled-texts/0/1"]
    assert list(report.sent) == ["labeled-texts/0/2"]  # the mark of this one was lost


def test_a_record_larger_than_its_topic_takes_is_kept_and_the_others_are_sent(
    producer: Producer,
) -> None:
    producer.faults[b"large"] = MessageSizeTooLargeError("2 MB")

    report = redriven(log_of([letter(1, b"large"), letter(2, b"{")]))

    assert list(report.sent) == marks(producer) == ["labeled-texts/0/2"]
    assert "larger than its topic takes" in report.kept["labeled-texts/0/1"]


def test_where_the_broker_fails_what_it_took_is_marked_before_the_error(
    producer: Producer,
) -> None:
    producer.faults[b"lost"] = KafkaTimeoutError("no answer")

    with pytest.raises(BrokerUnavailableError, match="1 records were sent again and marked"):
        redriven(log_of([letter(1, b"{"), letter(2, b"lost")]))

    assert marks(producer) == ["labeled-texts/0/1"]


@pytest.mark.parametrize(("refused", "marked"), [(b"lost", 1), ("redriven", 0)])
def test_what_cannot_even_be_handed_to_the_producer_is_the_brokers_failure(
    producer: Producer, refused: bytes | str, marked: int
) -> None:
    producer.refused.add(refused)

    with pytest.raises(
        BrokerUnavailableError, match=f"^{marked} records .* marked, then: .*no room"
    ):
        redriven(log_of([letter(1, b"{"), letter(2, b"lost")]))


def test_a_part_whose_record_the_log_has_no_more_is_kept(producer: Producer) -> None:
    cut = letter(1, b"{ha").model_copy(update={"whole": False})

    report = redriven(log_of([cut]))

    assert (producer.sent, list(report.kept)) == ([], ["labeled-texts/0/1"])


# A window over offsets 2 to 6: one record with an id of its own, one of another task, a bad one.
HELD = {
    2: labeled(text="a"),
    3: labeled(text="b", id="own"),
    4: labeled(text="c", task="other"),
    5: b"{",
    6: labeled(text="d"),
}
IDS = ("labeled-texts/0/2", "own", "labeled-texts/0/6")


def log_of_a_failed_window(held: Mapping[int, bytes]) -> DeadLetterLog:
    """A window that failed, and what the log holds of its span by now."""
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
    dead = letter(1, window.encode(), reason="window_failed")
    dead = dead.model_copy(update={"topic": "training-windows"})
    records = [raw(value, offset=offset) for offset, value in held.items()]
    return log_of([], training_windows__dead_letters=[raw(dead.encode())], labeled_texts=records)


def test_of_a_window_that_failed_the_records_are_sent_and_the_window_is_marked(
    producer: Producer,
) -> None:
    log = log_of_a_failed_window({1: labeled(text="before"), **HELD, 7: labeled(text="behind")})
    assert list(plan_lines(log.headings(Selection()))) == [
        "would send the records of training-windows/0/1 again (window_failed)",
        "1 would be sent again; 0 were sent before",
    ]

    report = redriven(log)

    assert marks(producer) == ["training-windows/0/1"]
    assert report.sent == {"training-windows/0/1": "labeled-texts/0/103"}
    assert (report.kept, report.gone) == ({}, {})
    records = [record for record in producer.sent if record.topic == "labeled-texts"]
    assert [record.value for record in records] == [HELD[2], HELD[3], HELD[6]]
    assert [record.headers for record in records] == [
        [(REDRIVEN_FROM, f"labeled-texts/0/{offset}".encode())] for offset in (2, 3, 6)
    ]


def test_of_a_window_what_retention_has_left_is_sent_and_the_rest_is_counted(
    producer: Producer,
) -> None:
    report = redriven(log_of_a_failed_window({6: HELD[6]}))

    assert [record.value for record in producer.sent][:1] == [HELD[6]]
    assert report.gone == {"training-windows/0/1": 2}
    told = list(report_lines(report))
    assert "training-windows/0/1 had 2 records more, which the log holds no more" in told


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({}, "holds no record"),
        ({**HELD, 6: labeled(text="e", id="new")}, "holds other records"),
        ({**HELD, 4: labeled(text="c")}, "holds other records"),
    ],
    ids=["gone", "another", "more"],
)
def test_a_window_whose_span_holds_nothing_or_other_records_is_kept(
    held: Mapping[int, bytes], why: str, producer: Producer
) -> None:
    report = redriven(log_of_a_failed_window(held))
    assert why in report.kept["training-windows/0/1"]
    assert producer.sent == []


def test_a_window_of_which_the_broker_did_not_take_every_record_is_not_marked(
    producer: Producer,
) -> None:
    producer.faults[HELD[3]] = KafkaTimeoutError("no answer")
    with pytest.raises(BrokerUnavailableError, match="0 records were sent again and marked"):
        redriven(log_of_a_failed_window(HELD))
    assert marks(producer) == []


def test_without_the_topic_of_marks_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Producer(topics=("labeled-texts",))
    monkeypatch.setattr(redrive, "KafkaProducer", lambda **_: made)
    with pytest.raises(MissingTopicError, match="freshet topics"):
        redriven(log_of([letter(1, b"{")]))
    assert made.sent == []
