"""One installation on a real broker: roles as processes, what is written to it and read back."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from consumers.broker.clients import kafka_python_options
from consumers.processes import ProcessGroup
from consumers.settings import Settings
from schemas.base import Event
from schemas.control import Action, Command
from schemas.dead_letter import DeadLetter
from schemas.evaluation import EvaluationEvent
from schemas.labeled_text import LabeledText, TextToClassify
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.topics import (
    CONTROL,
    EVALUATION_EVENTS,
    LABELED_TEXTS,
    LABELED_TEXTS_DEAD,
    MODEL_VERSIONS,
    PREDICTIONS,
    TEXTS,
    TOPICS,
    TRAINING_WINDOWS,
    TRAINING_WINDOWS_DEAD,
    Topic,
)
from schemas.window import TrainingWindow

PROGRAM = (sys.executable, "-m", "consumers")
PATIENCE_SECONDS = 120.0
"""The machine may be busy; a test that passes never waits so long."""

E = TypeVar("E", bound=Event)


class Installation:
    """Writes to the topics of `settings` and reads all of them from their beginning.

    Everything that was read stays in `records`, by the topic's name in `schemas.topics`.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.records: dict[str, list[Any]] = {topic.name: [] for topic in TOPICS}
        options = kafka_python_options(settings)
        self._names = {settings.topic(topic.name): topic.name for topic in TOPICS}
        self._producer: Any = KafkaProducer(**options, acks="all")
        self._consumer: Any = KafkaConsumer(**options, enable_auto_commit=False, group_id=None)
        places = [
            TopicPartition(name, number)
            for name in self._names
            for number in self._consumer.partitions_for_topic(name)
        ]
        self._admin: Any = KafkaAdminClient(**options)
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._group: ProcessGroup | None = None
        self._closed = False

    def close(self) -> None:
        """Leave the broker; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        self._producer.close(timeout=10)
        self._admin.close()
        self._consumer.close(autocommit=False)

    # Roles.

    @contextmanager
    def roles(
        self, *names: str, program: Sequence[str] = PROGRAM, **environment: str
    ) -> Iterator[ProcessGroup]:
        """Start roles, stop them at the end; while they run, none may end by itself."""
        group = ProcessGroup(
            logs=self.folder / "logs",
            environment={**environment_of(self.settings), **environment},
            grace_seconds=10,
            program=program,
        )
        with group:
            for name in names:
                group.start(name)
            self._group = group
            try:
                yield group
            finally:
                self._group = None

    def await_serve(self) -> None:
        """Wait until the serve role has committed where it begins: it hears what follows."""
        group = self.settings.group("serve")
        name = self.settings.topic(TEXTS.name)
        wanted = {TopicPartition(name, number) for number in range(self.settings.partitions)}

        def begun() -> bool:
            try:
                return bool(wanted <= self._admin.list_group_offsets({group: None})[group].keys())
            except KafkaError:  # the broker makes the topic of offsets for its first group
                return False

        self.until(begun)

    # Writing.

    def write(
        self,
        values: Iterable[bytes],
        *,
        topic: Topic = LABELED_TEXTS,
        partition: int = 0,
        key: bytes = b"any key",
    ) -> list[int]:
        """Append values to a partition and return their offsets once the broker has them."""
        name = self.settings.topic(topic.name)
        sent = [self._producer.send(name, value, key=key, partition=partition) for value in values]
        self._producer.flush(timeout=60)
        return [future.get(30).offset for future in sent]

    def ask(self, texts: Sequence[TextToClassify], *, partition: int = 0) -> None:
        """Append texts that ask for a label."""
        self.write((text.encode() for text in texts), topic=TEXTS, partition=partition)

    def close_windows(self, task: str) -> None:
        """Command that the task's open windows close."""
        command = Command(
            command_id=f"close-{task}-{time.monotonic_ns()}",
            action=Action.CLOSE,
            task=task,
            who="tests",
            why="the test has sent all",
            given_at=datetime.now(UTC),
        )
        self.write([command.encode()], topic=CONTROL)

    # Reading.

    def until(
        self, reached: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS, alive: bool = True
    ) -> None:
        """Read on until something is reached; with `alive` a role that has ended is an error."""
        deadline = time.monotonic() + seconds
        while not reached():
            if alive and self._group is not None:
                self._group.check()
            assert time.monotonic() < deadline, self.story()
            for place, records in self._consumer.poll(timeout_ms=100).items():
                self.records[self._names[place.topic]] += records

    def committed(self, role: str, topic: Topic) -> int:
        """How many records of a topic a role's group has committed, over all partitions."""
        group, name = self.settings.group(role), self.settings.topic(topic.name)
        found = self._admin.list_group_offsets({group: None})[group]
        return sum(int(held.offset) for place, held in found.items() if place.topic == name)

    def delete_below(self, offset: int, *, partition: int = 0) -> None:
        """Delete labeled texts as retention does."""
        place = TopicPartition(self.settings.topic(LABELED_TEXTS.name), partition)
        self._admin.delete_records({place: offset})

    def read_on(self) -> None:
        """Read everything that is on the topics now."""
        places = list(self._consumer.assignment())
        ends = self._consumer.end_offsets(places)
        self.until(
            lambda: all(self._consumer.position(place) >= ends[place] for place in places),
            alive=False,
        )

    def windows(self) -> list[TrainingWindow]:
        """Every window, once."""
        return list(
            {w.window_id: w for w in self._events(TRAINING_WINDOWS, TrainingWindow)}.values()
        )

    def evaluations(self, task: str = "") -> list[EvaluationEvent]:
        """Every round, once, by sequence."""
        found = {(e.task, e.sequence): e for e in self._events(EVALUATION_EVENTS, EvaluationEvent)}
        return [event for _, event in sorted(found.items()) if event.task == (task or event.task)]

    def versions(self, task: str = "") -> list[ModelVersion]:
        """Every announced version, once, by number."""
        found = {(v.task, v.version): v for v in self._events(MODEL_VERSIONS, ModelVersion)}
        return [event for _, event in sorted(found.items()) if event.task == (task or event.task)]

    def predictions(self) -> dict[str, Prediction]:
        """The first answer to each text."""
        found: dict[str, Prediction] = {}
        for answer in self._events(PREDICTIONS, Prediction):
            found.setdefault(answer.id, answer)
        return found

    def dead_letters(self, topic: Topic = LABELED_TEXTS_DEAD) -> dict[tuple[int, int], DeadLetter]:
        """Dead letters by partition and offset of their origin: a restart may repeat one."""
        return {(d.partition, d.offset): d for d in self._events(topic, DeadLetter)}

    def dead_windows(self) -> list[DeadLetter]:
        """Dead letters among the windows."""
        return list(self.dead_letters(TRAINING_WINDOWS_DEAD).values())

    def labels_learned(self, task: str) -> int:
        """Records of the task that rounds account for."""
        counts = [event.counts for event in self.evaluations(task)]
        return sum(c.learned + c.held_out + c.duplicates + c.skipped for c in counts)

    def logged(self, name: str, event: str = "") -> list[dict[str, Any]]:
        """The lines of a role's log that are events of ours, or those of one name."""
        path = self.folder / "logs" / f"{name}.log"
        lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
        entries = [json.loads(line) for line in lines if line.startswith('{"') and line[-1] == "}"]
        return [entry for entry in entries if not event or entry["event"] == event]

    def story(self) -> str:
        """What there is so far, for a test that waited in vain."""
        lines = [f"{name}: {len(records)}" for name, records in self.records.items()]
        lines += [f"{e.task}/{e.sequence}: {e.outcome} {e.reason}" for e in self.evaluations()]
        lines += [f"dead window: {letter.reason} {letter.detail}" for letter in self.dead_windows()]
        for role in self._group.roles.values() if self._group else ():
            lines.append(f"--- {role.name} ({role.exit_status})\n{role.last_lines(12)}")
        return "\n".join(lines)

    def _events(self, topic: Topic, kind: type[E]) -> list[E]:
        return [
            kind.decode(record.value)
            for record in self.records[topic.name]
            if record.value is not None
        ]


def environment_of(settings: Settings) -> dict[str, str]:
    """What a role needs to run under these settings."""
    names = (
        "bootstrap_servers", "prefix", "store", "cache", "config", "device", "strict_tasks",
        "session_timeout_seconds", "flood_ratio", "flood_records", "max_text_chars", "max_attempts",
    )  # fmt: skip
    given = {f"FRESHET_{name.upper()}": str(getattr(settings, name)) for name in names}
    return {**given, "FRESHET_THREADS": "1", "FRESHET_LOG_FORMAT": "json"}


def write_config(
    path: Path,
    base_model: Path,
    *,
    records: int,
    tasks: dict[str, Any] | None = None,
    defaults: dict[str, Any] | None = None,
) -> Path:
    """A tasks file for the tiny base model: full windows of `records`, no refresh by itself."""
    held: dict[str, Any] = {
        "window": {"records": records},
        "encoder": {"base_model": str(base_model)},
        "holdout": {"share": 0.3},
        "refresh": {"enabled": False},
        "fit": {"epochs": 1, "learning_rate": 1e-3},
        "gate": {"insufficient_evidence": "promote"},
    }
    path.write_text(
        yaml.safe_dump({"defaults": {**held, **(defaults or {})}, "tasks": tasks or {}}),
        encoding="utf-8",
    )
    return path


def encoded(texts: Iterable[LabeledText]) -> list[bytes]:
    """The values of labeled texts."""
    return [text.encode() for text in texts]


def kill_now(pid: int) -> None:
    """End one process at once, and no other of its group."""
    os.kill(pid, 9)
