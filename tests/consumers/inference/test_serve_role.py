"""The serve role as a process on a real broker: its first version, swaps and restarts."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from consumers.broker import kafka_python_options
from consumers.processes import RoleProcess
from consumers.settings import Settings
from schemas.labeled_text import TextToClassify
from schemas.prediction import Prediction
from schemas.topics import PREDICTIONS, TEXTS
from tests.consumers.inference.conftest import Publisher
from tests.model.tiny_onnx import WORDS, expected
from tests.waiting import becomes

DEADLINE_SECONDS = 60.0


class Client:
    """A service that asks: numbered texts on each partition, and the answers to them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent = [0] * settings.partitions
        options = kafka_python_options(settings)
        self._producer: Any = KafkaProducer(**options, acks="all")
        self._consumer: Any = KafkaConsumer(**options, enable_auto_commit=False)
        topic = settings.topic(PREDICTIONS.name)
        places = [TopicPartition(topic, number) for number in range(settings.partitions)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self.answers: list[Prediction] = []

    def send(self, count: int) -> None:
        """`count` texts to each partition; the text says its number by its id and its word."""
        for partition, first in enumerate(self.sent):
            for number in range(first, first + count):
                text = TextToClassify(
                    id=f"{partition}-{number}", task="colors", text=WORDS[number % 3]
                )
                # One key a partition, so that its answers keep their order.
                key = b"key-%d" % partition
                topic = self.settings.topic(TEXTS.name)
                self._producer.send(topic, text.encode(), key=key, partition=partition)
            self.sent[partition] += count
        self._producer.flush(timeout=20)

    def await_answers(self) -> list[Prediction]:
        """Every answer so far, once each text that was sent has one."""
        asked = {f"{p}-{n}" for p, count in enumerate(self.sent) for n in range(count)}
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not asked <= {answer.id for answer in self.answers}:
            assert time.monotonic() < deadline, f"{len(self.answers)} answers to {len(asked)} texts"
            for records in self._consumer.poll(timeout_ms=200).values():
                self.answers += [Prediction.decode(record.value) for record in records]
        return self.answers

    def of_partition(self, partition: int) -> list[Prediction]:
        return [answer for answer in self.answers if answer.id.startswith(f"{partition}-")]

    def close(self) -> None:
        self._producer.close(timeout=5)
        self._consumer.close(autocommit=False)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    made = Client(settings)
    yield made
    made.close()


@pytest.fixture
def role(settings: Settings, tmp_path: Path) -> Iterator[RoleProcess]:
    names = ("bootstrap_servers", "prefix", "store", "cache", "device", "session_timeout_seconds")
    environment = {f"FRESHET_{name.upper()}": str(getattr(settings, name)) for name in names}
    made = RoleProcess(
        ["serve"],
        name="serve",
        log=tmp_path / "serve.log",
        environment={**environment, "FRESHET_THREADS": "1"},
    )
    yield made
    made.kill()


def _eventually(reached: Callable[[], bool], role: RoleProcess) -> None:
    happened = becomes(lambda: reached() or not role.running, timeout_seconds=DEADLINE_SECONDS)
    assert happened, role.last_lines()
    assert role.running, role.last_lines()


def _await_partitions(settings: Settings, role: RoleProcess) -> None:
    """A new group commits where it begins; texts sent after that are its own."""
    admin = KafkaAdminClient(**kafka_python_options(settings))
    topic = settings.topic(TEXTS.name)
    wanted = {TopicPartition(topic, number) for number in range(settings.partitions)}

    def begun() -> bool:
        group = settings.group("serve")
        try:
            found = admin.list_group_offsets({group: None})[group]
        except KafkaError:  # the broker makes the topic of offsets for its first group
            return False
        return bool(wanted <= found.keys())

    try:
        _eventually(begun, role)
    finally:
        admin.close()


def _logged(role: RoleProcess, event: str) -> bool:
    return event in role.log.read_text(encoding="utf-8")


def test_it_waits_for_the_first_version_then_answers_each_text_once_across_swaps_and_restarts(
    settings: Settings,
    client: Client,
    role: RoleProcess,
    publisher_of: Callable[[Settings], Publisher],
) -> None:
    publisher = publisher_of(settings)
    role.start()
    _await_partitions(settings, role)
    client.send(20)
    _eventually(lambda: _logged(role, "waiting_for_model"), role)
    assert not client.answers
    for number in range(5):
        publisher.announce(number, head_turn=number)
        client.send(100)
    client.await_answers()
    _eventually(lambda: _logged(role, '"version": 4') or _logged(role, "version=4"), role)

    # Told to stop, it finishes what it has in hand: nothing is answered twice.
    client.send(100)
    assert role.stop() == 0
    client.send(50)
    role.start()
    publisher.announce(5, head_turn=5)
    client.send(50)
    client.await_answers()
    for partition, count in enumerate(client.sent):
        ids = [answer.id for answer in client.of_partition(partition)]
        assert ids == [f"{partition}-{number}" for number in range(count)]

    # Killed, it loses none and repeats at most what it had not committed.
    client.send(300)
    role.kill()
    role.start()
    client.await_answers()
    for answer in client.answers:
        word = WORDS[int(answer.id.partition("-")[2]) % 3]
        assert answer.label == expected(word, turns=answer.version)
    assert len({answer.version for answer in client.answers}) > 2
