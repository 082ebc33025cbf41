"""Records are sent again and awaited, and only then marked; what cannot be sent is named."""

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from consumers import redrive
from consumers.dead_letter_tables import report_lines
from consumers.publisher import BrokerUnavailableError, MissingTopicError
from schemas.labeled_text import REDRIVEN_FROM
from tests.consumers.raw import raw
from tests.consumers.redriving import Producer, marks, redriven
from tests.consumers.test_dead_letter_log import letter, log_of


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
    assert list(report_lines(report))[-1] == (
        "letters: 2 sent again (2 records); 0 were sent before; 0 kept"
    )
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

    with pytest.raises(BrokerUnavailableError, match="1 letters were sent again and marked"):
        redriven(log_of([letter(1, b"{"), letter(2, b"lost")]))

    assert marks(producer) == ["labeled-texts/0/1"]


@pytest.mark.parametrize(("refused", "marked"), [(b"lost", 1), ("redriven", 0)])
def test_what_cannot_even_be_handed_to_the_producer_is_the_brokers_failure(
    producer: Producer, refused: bytes | str, marked: int
) -> None:
    producer.refused.add(refused)

    with pytest.raises(
        BrokerUnavailableError, match=f"^{marked} letters .* marked, then: .*no room"
    ):
        redriven(log_of([letter(1, b"{"), letter(2, b"lost")]))


def test_a_part_whose_record_the_log_has_no_more_is_kept(producer: Producer) -> None:
    cut = letter(1, b"{ha").model_copy(update={"whole": False})

    report = redriven(log_of([cut]))

    assert (producer.sent, list(report.kept)) == ([], ["labeled-texts/0/1"])


def test_without_the_topic_of_marks_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Producer(topics=("labeled-texts",))
    monkeypatch.setattr(redrive, "KafkaProducer", lambda **_: made)
    with pytest.raises(MissingTopicError, match="freshet topics"):
        redriven(log_of([letter(1, b"{")]))
    assert made.sent == []
