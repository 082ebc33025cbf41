"""Writes labeled texts, texts that ask for a label, and commands, as any producer would.

Records are keyed by task, so that a task fills its windows in order, and every one is awaited.
"""

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.broker.clients import kafka_python_options, no_broker
from consumers.datasets import Dataset
from consumers.peek import BrokerSilentError, Peek
from consumers.plural import counted
from consumers.publisher import MissingTopicError
from consumers.settings import Settings
from model.errors import RetryError
from schemas.control import Action, Command
from schemas.labeled_text import LabeledText, TextToClassify
from schemas.topics import CONTROL, LABELED_TEXTS, TEXTS, Topic

Wait = Callable[[float], object]


class ProduceError(RetryError):
    """The broker did not take a record; those before it may have been written."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many records a second, counted from a start: a late record does not delay the next."""

    rate: float | None
    """Records a second; None is as fast as it goes."""

    def due(self, elapsed_seconds: float) -> float:
        """How many records may have been sent by now."""
        return math.inf if self.rate is None else math.floor(elapsed_seconds * self.rate) + 1

    def wait_seconds(self, sent: int, elapsed_seconds: float) -> float:
        """How long until one more than `sent` is due."""
        return 0.0 if self.rate is None else max(0.0, sent / self.rate - elapsed_seconds)


class TextProducer:
    """A kafka-python producer that counts what the broker has acknowledged.

    Args:
        settings: broker and prefix.
        who: gives the commands.
        topics: that it is going to write to.

    Raises:
        ProduceError: from any method, once a record was refused or the broker does not answer.
        MissingTopicError: one of the topics does not exist; the client alone would wait a minute
            for it, or make it with other settings than ours.
    """

    def __init__(self, settings: Settings, *, who: str, topics: Sequence[Topic]) -> None:
        self._settings = settings
        self._who = who
        self._lock = threading.Lock()
        self._acknowledged = 0
        self._error: BaseException | None = None
        try:
            self._producer = KafkaProducer(
                **kafka_python_options(settings),
                acks="all",
                # librdkafka's mock gives out no producer ids.
                enable_idempotence=not settings.memory_broker,
                compression_type="lz4",
                linger_ms=5,
            )
        except KafkaError as error:
            raise ProduceError(no_broker(settings, error)) from error
        try:
            _require(topics, settings)
        except BaseException:
            self.close(timeout_seconds=0.0)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(timeout_seconds=10.0 if error is None else 0.0)

    @property
    def acknowledged(self) -> int:
        """Labeled texts that the broker has taken durably."""
        return self._acknowledged

    def send_labeled(self, text: LabeledText) -> None:
        """Queue one labeled text; returns before the broker has it."""
        self._send(LABELED_TEXTS, text.task, text.encode()).add_callback(self._count)

    def send_text(self, text: TextToClassify) -> None:
        """Queue one text that asks for a label."""
        self._send(TEXTS, text.task, text.encode())

    def send_close(self, task: str, *, why: str) -> None:
        """Ask for the task's open windows to close, after all labeled texts are acknowledged."""
        self.flush()
        self.send_command(Action.CLOSE, task, why=why)

    def send_command(self, action: Action, task: str, *, why: str) -> None:
        """Give a command, and wait until the broker has it."""
        command = Command(
            command_id=uuid.uuid4().hex,
            action=action,
            task=task,
            who=self._who,
            why=why,
            given_at=datetime.now(UTC),
        )
        self._send(CONTROL, task, command.encode(), command.headers(quote(self._who)))
        self.flush()

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until every record is acknowledged."""
        try:
            self._producer.flush(timeout=timeout_seconds)
        except KafkaError as error:
            raise ProduceError(f"the broker did not take every record: {error}") from error
        self.check()

    def check(self) -> None:
        """Raise what the broker refused since the last look."""
        if self._error is not None:
            raise ProduceError(f"the broker refused a record: {self._error}") from self._error

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Give the connection back; what is not acknowledged by then is dropped."""
        # It flushes first and raises where the time is up: whoever needs the records has flushed.
        with suppress(KafkaError):
            self._producer.close(timeout=timeout_seconds)

    def _send(
        self, topic: Topic, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Any:
        self.check()
        try:
            future = self._producer.send(
                self._settings.topic(topic.name),
                value=value,
                key=key.encode(),
                headers=list(headers),
            )
        except KafkaError as error:
            raise ProduceError(f"the broker did not take a record: {error}") from error
        return future.add_errback(self._failed)

    def _count(self, _metadata: Any) -> None:
        with self._lock:
            self._acknowledged += 1

    def _failed(self, error: BaseException) -> None:
        self._error = self._error or error


def produce(
    texts: Iterable[LabeledText],
    producer: TextProducer,
    *,
    pace: Pace,
    clock: Callable[[], float] = time.monotonic,
    wait: Wait = time.sleep,
) -> int:
    """Send every text at its deadline and wait for all acknowledgements; the number of them.

    Raises:
        ProduceError: the broker refused a record or does not answer.
    """
    began = clock()
    sent = 0
    for text in texts:
        if sent >= pace.due(clock() - began):
            # A deadline a few milliseconds on: at a high rate several records are due then.
            wait(max(0.005, pace.wait_seconds(sent, clock() - began)))
        producer.send_labeled(text)
        sent += 1
    producer.flush()
    return sent


def produce_dataset(
    dataset: Dataset,
    settings: Settings,
    *,
    rate: float | None,
    limit: int | None,
    close: bool,
    who: str = "freshet-produce",
) -> str:
    """Stream a file's rows, close its tasks' windows if asked to, and say what was done.

    Raises:
        ProduceError: the broker refused a record or does not answer.
        MissingTopicError: there is no topic to write to.
    """
    texts = [row.labeled for row in dataset.rows[:limit]]
    tasks = sorted({text.task for text in texts})
    began = time.monotonic()
    topics = (LABELED_TEXTS, CONTROL) if close else (LABELED_TEXTS,)
    with TextProducer(settings, who=who, topics=topics) as producer:
        sent = produce(texts, producer, pace=Pace(rate))
        elapsed = time.monotonic() - began
        for task in tasks if close else ():
            producer.send_close(task, why=f"end of {dataset.path.name}")
    closed = "; asked for their open windows to close" if close else ""
    bad = f"; rows of the file that could not be used: {len(dataset.bad)}" if dataset.bad else ""
    return (
        f"{counted(sent, 'record')} of {', '.join(tasks)} acknowledged in {elapsed:.1f} s"
        f" ({sent / max(elapsed, 1e-9):.0f}/s){bad}{closed}"
    )


def _require(topics: Sequence[Topic], settings: Settings) -> None:
    if settings.memory_broker:  # librdkafka's mock makes a topic when it is first written to
        return
    try:
        with Peek(settings) as peek:
            missing = [settings.topic(topic.name) for topic in topics if not peek.is_there(topic)]
    except BrokerSilentError as error:
        raise ProduceError(str(error)) from error
    if missing:
        raise MissingTopicError.of(missing)
