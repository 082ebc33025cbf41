"""Produces labeled texts, runs window roles and reads back what they published."""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from consumers.broker.clients import kafka_python_options
from consumers.processes import RoleProcess
from consumers.settings import Settings
from schemas.base import Span
from schemas.dead_letter import DeadLetter
from schemas.topics import LABELED_TEXTS, LABELED_TEXTS_DEAD, TRAINING_WINDOWS, Topic
from schemas.window import TrainingWindow
from tests.waiting import becomes


def role(settings: Settings, folder: Path, *, name: str = "windows", **more: str) -> RoleProcess:
    """A window role as a child process; start and stop it yourself."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "FRESHET_PREFIX": settings.prefix,
        "FRESHET_SESSION_TIMEOUT_SECONDS": "6",
        "FRESHET_LOG_FORMAT": "json",
        **more,
    }
    return RoleProcess(["windows"], name=name, log=folder / f"{name}.log", environment=environment)


def tasks_file(folder: Path, **window: float) -> str:
    """A tasks file that sets the window policy of every task."""
    path = folder / "tasks.yaml"
    path.write_text(yaml.safe_dump({"defaults": {"window": window}}))
    return str(path)


def produce(
    settings: Settings,
    values: Iterable[bytes],
    *,
    topic: Topic = LABELED_TEXTS,
    partition: int = 0,
    **options: Any,
) -> None:
    """Append values to a partition and wait for the broker; `options` are the producer's."""
    producer = KafkaProducer(**kafka_python_options(settings), acks="all", **options)
    try:
        for value in values:
            producer.send(settings.topic(topic.name), value, key=b"key", partition=partition)
        producer.flush(30)
    finally:
        producer.close()


class Published:
    """What stands on a topic; reads on from where it was."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self._consumer = KafkaConsumer(
            **kafka_python_options(settings), auto_offset_reset="earliest", group_id=None
        )
        name = settings.topic(topic.name)
        numbers = self._consumer.partitions_for_topic(name) or set()
        self._consumer.assign([TopicPartition(name, number) for number in numbers])
        self.values: list[bytes] = []

    def until(self, enough: Callable[[list[bytes]], bool], *, timeout_seconds: float = 30) -> bool:
        """Whether what was read becomes enough within the time."""
        deadline = time.monotonic() + timeout_seconds
        while not enough(self.values):
            if time.monotonic() > deadline:
                return False
            for records in self._consumer.poll(timeout_ms=200).values():
                self.values += [record.value for record in records]
        return True

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def windows_until(
    settings: Settings,
    enough: Callable[[list[TrainingWindow]], bool],
    *,
    timeout_seconds: float = 30,
) -> list[TrainingWindow]:
    """All windows, once they are enough."""
    published = Published(settings, TRAINING_WINDOWS)
    try:
        assert published.until(
            lambda values: enough([TrainingWindow.decode(value) for value in values]),
            timeout_seconds=timeout_seconds,
        ), [TrainingWindow.decode(value).window_id for value in published.values]
        return [TrainingWindow.decode(value) for value in published.values]
    finally:
        published.close()


def dead_letters(settings: Settings, number: int) -> list[DeadLetter]:
    """The first dead letters."""
    published = Published(settings, LABELED_TEXTS_DEAD)
    try:
        assert published.until(lambda values: len(values) >= number)
        return [DeadLetter.decode(value) for value in published.values]
    finally:
        published.close()


def committed(settings: Settings, partition: int = 0) -> int | None:
    """The committed offset of the windows group."""
    with closing(KafkaAdminClient(**kafka_python_options(settings))) as admin:
        return _committed(admin, settings, partition)


def becomes_committed(settings: Settings, offset: int, *, partition: int = 0) -> bool:
    """Whether the group commits this offset within the time."""
    with closing(KafkaAdminClient(**kafka_python_options(settings))) as admin:
        return becomes(lambda: _committed(admin, settings, partition) == offset)


def _committed(admin: Any, settings: Settings, partition: int) -> int | None:
    group = settings.group("windows")
    place = TopicPartition(settings.topic(LABELED_TEXTS.name), partition)
    found = admin.list_group_offsets(group)[group].get(place)
    return None if found is None else int(found.offset)


def logged(process: RoleProcess, event: str, count: int = 1) -> bool:
    """Whether a role logs an event so many times within the time."""
    wanted = f'"event": "{event}"'
    return becomes(
        lambda: process.log.exists() and process.log.read_text().count(wanted) >= count,
        timeout_seconds=30,
    )


def trimmed(windows: Iterable[TrainingWindow], *, start: int = 0) -> dict[int, list[Span]]:
    """Spans per partition in offset order, without what earlier ones hold, as training trims."""
    left: dict[int, list[Span]] = {}
    for span in sorted((w.span for w in windows), key=lambda s: (s.partition, s.start, s.end)):
        spans = left.setdefault(span.partition, [])
        begin = max(span.start, spans[-1].end if spans else start)
        if begin < span.end:
            spans.append(span.model_copy(update={"start": begin}))
    return left
