"""Turns what the topics and the training role's log say into facts."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pydantic import ValidationError

from consumers.broker import kafka_python_options
from consumers.demo.events import (
    Fact,
    RoleJoined,
    RoleTroubled,
    RoundEvaluated,
    SetAside,
    TextAnswered,
    TrainingIdle,
    TrainingProgressed,
    VersionAnnounced,
    WindowClosed,
)
from consumers.settings import Settings
from model.errors import RetryError
from schemas import topics
from schemas.dead_letter import DeadLetter
from schemas.evaluation import EvaluationEvent
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.window import TrainingWindow

Reader = Callable[[Any], Fact]


class WatchError(RetryError):
    """The broker does not answer the watcher."""


def _announced(record: Any) -> Fact:
    appended_at = datetime.fromtimestamp(record.timestamp / 1000, tz=UTC)
    return VersionAnnounced(ModelVersion.decode(record.value), appended_at)


def _set_aside(what: Any, record: Any) -> Fact:
    return SetAside(what, DeadLetter.decode(record.value))


READERS: Mapping[topics.Topic, Reader] = {
    topics.TRAINING_WINDOWS: lambda r: WindowClosed(TrainingWindow.decode(r.value)),
    topics.EVALUATION_EVENTS: lambda r: RoundEvaluated(EvaluationEvent.decode(r.value)),
    topics.MODEL_VERSIONS: _announced,
    topics.PREDICTIONS: lambda r: TextAnswered(Prediction.decode(r.value)),
    topics.LABELED_TEXTS_DEAD: partial(_set_aside, "labeled"),
    topics.TEXTS_DEAD: partial(_set_aside, "text"),
    topics.TRAINING_WINDOWS_DEAD: partial(_set_aside, "window"),
}


class TopicWatch:
    """Reads every topic of `READERS` from its beginning, without a group.

    Raises:
        WatchError: from any method, when the broker does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._readers = {settings.topic(topic.name): READERS[topic] for topic in READERS}
        try:
            self._consumer = KafkaConsumer(
                **kafka_python_options(settings),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
            self._consumer.assign(
                [
                    TopicPartition(name, partition)
                    for name in self._readers
                    for partition in self._consumer.partitions_for_topic(name) or ()
                ]
            )
            self._consumer.seek_to_beginning()
        except KafkaError as error:
            raise WatchError(f"{settings.bootstrap_servers}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close(autocommit=False)

    def poll(self, timeout_seconds: float) -> list[Fact]:
        """The facts since the last call; waits for one at most so long."""
        try:
            polled = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=2000)
        except KafkaError as error:
            raise WatchError(f"the broker does not answer: {error}") from error
        return [
            fact_of(record, self._readers[partition.topic])
            for partition, records in polled.items()
            for record in records
            if record.value is not None
        ]


def fact_of(record: Any, reader: Reader) -> Fact:
    """The fact that a record states; one that states none is told as a trouble."""
    try:
        return reader(record)
    except ValidationError as error:
        where = f"{record.topic}/{record.partition}/{record.offset}"
        return RoleTroubled("demo", "error", "unreadable_record", f"{where}: {error}")


class LogTail:
    """Follows a role's JSON log file; a file that is not there yet has no lines."""

    def __init__(self, role: str, path: Path) -> None:
        self._role = role
        self._path = path
        self._at = 0
        self._rest = b""

    def read(self) -> list[Fact]:
        """The facts of the lines written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            fresh = file.read()
        self._at += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        return facts_of_lines(lines, role=self._role)


def facts_of_lines(lines: Iterable[bytes], *, role: str) -> list[Fact]:
    """The facts that lines of a role's log state; other lines state none."""
    parsed = (fact_of_line(line, role=role) for line in lines)
    return [fact for fact in parsed if fact is not None]


def fact_of_line(line: bytes, *, role: str) -> Fact | None:
    """The fact that a line states, if any."""
    try:
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["timestamp"])
        event, level = str(entry["event"]), str(entry["level"])
    except (ValueError, TypeError, KeyError):
        return None  # a library wrote to stderr
    if event == "training_progress":
        figures = {name: entry[name] for name in entry if name not in _LOG_FIELDS}
        return TrainingProgressed(str(entry.get("stage", "working")), figures, at)
    if event == "training_idle":
        return TrainingIdle(at) if not entry.get("backlog") else None
    if event == "assigned":
        return RoleJoined(role)
    # What libraries tell in sentences (a group without a coordinator yet) stays in the log.
    if level in {"warning", "error", "critical"} and event.isidentifier():
        return RoleTroubled(role, level, event, _detail(entry))
    return None


_LOG_FIELDS: Sequence[str] = ("timestamp", "event", "level", "stage")


def _detail(entry: Mapping[str, Any]) -> str:
    named = {name: entry[name] for name in entry if name not in (*_LOG_FIELDS, "exception")}
    last_line = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    told = ", ".join(f"{name}={value}" for name, value in named.items())
    return "; ".join(part for part in (told, last_line) if part)
