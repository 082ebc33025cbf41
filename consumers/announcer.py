"""Announces entries that a command wrote itself, where a broker answers: no role is needed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.announcement import announcement
from consumers.broker import kafka_python_options
from consumers.settings import Settings
from model.lineage_entry import LineageEntry
from schemas.topics import MODEL_VERSIONS

PATIENCE_SECONDS = 10.0
"""How long the broker may take to answer."""


class Announcer:
    """Publishes the events of entries; without a broker the train role does it in its time.

    Args:
        settings: broker and prefix.
        producer: None where no broker answers.
        fault: why not.
    """

    def __init__(
        self, settings: Settings, producer: KafkaProducer | None, fault: str | None
    ) -> None:
        self._settings, self._producer = settings, producer
        self.fault = fault
        """Why no broker answers; None where one does."""

    @property
    def connected(self) -> bool:
        """Whether a broker answers."""
        return self._producer is not None

    def announce(self, entry: LineageEntry, *, source: str) -> str | None:
        """Publish in order and wait; why it was not announced, or None.

        Args:
            entry: of a lineage.
            source: who publishes, a URI reference.
        """
        if self._producer is None:
            return self.fault
        try:
            for event in announcement(entry, source=source):
                sent = self._producer.send(
                    self._settings.topic(event.topic.name),
                    value=event.value,
                    key=event.key,
                    headers=list(event.headers),
                )
                sent.get(timeout=PATIENCE_SECONDS)
        except KafkaError as error:
            return str(error)
        return None


@contextmanager
def announcing(settings: Settings) -> Iterator[Announcer]:
    """Connect to the broker, if one answers, and leave it again."""
    producer, fault = _connected(settings)
    try:
        yield Announcer(settings, producer, fault)
    finally:
        if producer is not None:
            with suppress(KafkaError):
                producer.close(timeout=0)


def _connected(settings: Settings) -> tuple[KafkaProducer | None, str | None]:
    """A producer whose broker answers, or why there is none."""
    try:
        producer = KafkaProducer(
            **kafka_python_options(settings),
            acks="all",
            enable_idempotence=not settings.memory_broker,
            max_block_ms=int(PATIENCE_SECONDS * 1000),
        )
    except KafkaError as error:
        return None, str(error)
    try:
        known = producer.partitions_for(settings.topic(MODEL_VERSIONS.name))
    except KafkaError as error:
        known, fault = None, str(error)
    else:
        fault = f"no topic {settings.topic(MODEL_VERSIONS.name)}"
    if known:
        return producer, None
    with suppress(KafkaError):
        producer.close(timeout=0)
    return None, fault
