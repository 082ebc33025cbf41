import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.broker import kafka_python_options
from consumers.datasets import load_dataset
from consumers.produce import Pace, ProduceError, TextProducer, produce, produce_dataset
from consumers.publisher import MissingTopicError
from consumers.refresh_command import ask_for_refresh
from consumers.settings import Settings
from schemas.control import Action, Command
from schemas.labeled_text import LabeledText, TextToClassify
from schemas.topics import CONTROL, LABELED_TEXTS, TEXTS, Topic


class FakeProducer(TextProducer):
    """Keeps what is sent, with the time at which it was."""

    def __init__(self, clock: "FakeClock") -> None:
        self.sent: list[float] = []
        self.flushed = 0
        self.clock = clock

    def send_labeled(self, text: LabeledText) -> None:
        self.sent.append(self.clock.now)

    def flush(self, timeout_seconds: float = 60.0) -> None:
        self.flushed += 1


class FakeClock:
    """Time passes only while someone waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits = 0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.now += seconds


def labeled(number: int, task: str = "mood") -> LabeledText:
    return LabeledText(id=f"r{number}", task=task, text=f"text {number}", label="good")


def test_records_are_sent_at_their_deadlines() -> None:
    clock = FakeClock()
    producer = FakeProducer(clock)
    assert (
        produce(map(labeled, range(5)), producer, pace=Pace(10), clock=clock, wait=clock.wait) == 5
    )
    assert producer.sent == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])
    assert producer.flushed == 1


def test_a_high_rate_is_kept_without_a_wait_for_every_record() -> None:
    clock = FakeClock()
    producer = FakeProducer(clock)
    produce(map(labeled, range(10_000)), producer, pace=Pace(5000), clock=clock, wait=clock.wait)
    assert clock.now - 100.0 == pytest.approx(2.0, abs=0.05)
    assert clock.waits < 500


def test_a_late_record_does_not_delay_those_after_it() -> None:
    pace = Pace(10)
    assert pace.due(0.0) == 1
    assert pace.due(5.0) == 51
    assert pace.wait_seconds(51, 5.0) == pytest.approx(0.1)
    assert pace.wait_seconds(3, 5.0) == 0.0


def test_no_rate_never_waits() -> None:
    clock = FakeClock()
    produce(map(labeled, range(100)), FakeProducer(clock), pace=Pace(None), clock=clock)
    assert clock.waits == 0


def test_a_broker_that_is_not_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "consumers.produce.kafka_python_options",
        lambda _: {"bootstrap_servers": ["127.0.0.1:1"], "bootstrap_timeout_ms": 300},
    )
    with pytest.raises(ProduceError, match=r"127\.0\.0\.1:1"):
        TextProducer(Settings(bootstrap_servers="127.0.0.1:1"), who="test", topics=[TEXTS])


def test_topics_that_were_not_made_are_told_at_once_with_the_way_to_make_them(
    settings: Settings, tmp_path: Path
) -> None:
    nowhere = settings.model_copy(update={"prefix": f"{settings.prefix}none-"})
    path = tmp_path / "moods.jsonl"
    path.write_text('{"text": "hm", "label": "good"}', encoding="utf-8")
    began = time.monotonic()
    with pytest.raises(MissingTopicError) as caught:
        produce_dataset(load_dataset(path), nowhere, rate=None, limit=None, close=True)
    with pytest.raises(MissingTopicError, match=r"control; `freshet topics` makes it"):
        ask_for_refresh(nowhere, "moods", who="Ada L.", why="new house style")
    assert time.monotonic() - began < 20
    names = ", ".join(map(nowhere.topic, ("control", "labeled-texts")))
    assert str(caught.value) == f"no such topic: {names}; `freshet topics` makes them"


def test_a_broker_that_goes_away_before_topics_are_looked_for_is_a_clear_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"bootstrap_servers": ["127.0.0.1:1"], "bootstrap_timeout_ms": 300}
    monkeypatch.setattr("consumers.peek.kafka_python_options", lambda _: options)
    with pytest.raises(ProduceError, match=r"no broker answers at .*--bootstrap-servers"):
        TextProducer(settings, who="test", topics=[TEXTS])


def read(settings: Settings, topic: Topic) -> list[tuple[bytes, bytes]]:
    """Key and value of every record of a topic."""
    consumer = KafkaConsumer(**kafka_python_options(settings), auto_offset_reset="earliest")
    name = settings.topic(topic.name)
    partitions = [TopicPartition(name, one) for one in consumer.partitions_for_topic(name) or ()]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    found = []
    while any(consumer.position(one) < ends[one] for one in partitions):
        for records in consumer.poll(timeout_ms=500).values():
            found += [(record.key, record.value) for record in records]
    consumer.close()
    return found


def test_a_file_is_produced_and_its_windows_closed(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "moods.jsonl"
    rows = [{"text": f"text {n}", "label": "good"} for n in range(50)]
    path.write_text("\n".join([*map(json.dumps, rows), "nope"]), encoding="utf-8")
    told = produce_dataset(load_dataset(path), settings, rate=None, limit=40, close=True)
    assert told.startswith("40 records of moods acknowledged")
    assert "; rows of the file that could not be used: 1; asked for" in told
    sent = read(settings, LABELED_TEXTS)
    assert len(sent) == 40
    assert {key for key, _ in sent} == {b"moods"}
    assert LabeledText.decode(sent[0][1]).source == "moods"
    [(key, value)] = read(settings, CONTROL)
    command = Command.decode(value)
    assert (key, command.action, command.task) == (b"moods", Action.CLOSE, "moods")


def test_acknowledged_texts_are_counted(settings: Settings) -> None:
    with TextProducer(settings, who="test", topics=[LABELED_TEXTS, TEXTS]) as producer:
        for number in range(25):
            producer.send_labeled(labeled(number))
        producer.send_text(
            TextToClassify(id="q", task="mood", text="how?", sent_at=datetime.now(UTC))
        )
        producer.flush()
        assert producer.acknowledged == 25
    assert len(read(settings, TEXTS)) == 1


def test_a_command_to_refresh_says_who_and_why(settings: Settings) -> None:
    told, _note = ask_for_refresh(settings, "moods", who="Ada L.", why="new house style")
    assert told.startswith("moods: the train role is asked for a refresh")
    [(key, value)] = read(settings, CONTROL)
    command = Command.decode(value)
    assert (key, command.action, command.task) == (b"moods", Action.REFRESH, "moods")
    assert (command.who, command.why) == ("Ada L.", "new house style")
