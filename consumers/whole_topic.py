"""Reads what topics hold now, to their ends, with a plain kafka-python consumer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from consumers.broker.clients import kafka_python_options, no_broker
from consumers.positions import records_between
from consumers.publisher import BrokerUnavailableError, MissingTopicError
from consumers.settings import Settings

QUIET_SECONDS = 30.0
"""Longest time without a record before the broker counts as silent."""


class TopicReader:
    """A consumer without a group. Every method raises `BrokerUnavailableError` without a broker."""

    def __init__(self, settings: Settings) -> None:
        try:
            self._consumer: Any = KafkaConsumer(
                **kafka_python_options(settings),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
            )
        except (KafkaError, OSError) as error:
            raise BrokerUnavailableError(no_broker(settings, error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)

    def records(self, topic: str) -> Iterator[Any]:
        """What the topic holds when this is called (`ConsumerRecord`), partition by partition.

        Raises:
            MissingTopicError: there is no such topic; says how to make it.
        """
        with _translated(f"read {topic}"):
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                raise MissingTopicError.of([topic])
            places = [TopicPartition(topic, number) for number in sorted(numbers)]
            firsts = self._consumer.beginning_offsets(places)
            ends = self._consumer.end_offsets(places)
        for place in places:
            yield from self._between(place, firsts[place], ends[place])

    def record(self, topic: str, partition: int, offset: int) -> Any | None:
        """The record at one place; None where the log does not hold it (any more)."""
        found = next(self.between(topic, partition, offset, offset + 1), None)
        return found if found is not None and found.offset == offset else None

    def begins(self, topic: str, partition: int) -> int:
        """Where the log of a partition begins by now; 0 where there is no such partition."""
        return self._first(TopicPartition(topic, partition)) or 0

    def between(self, topic: str, partition: int, start: int, end: int) -> Iterator[Any]:
        """The records from one offset up to another that the log holds (still)."""
        place = TopicPartition(topic, partition)
        first = self._first(place)
        if first is None:
            return
        with _translated(f"read {topic}/{partition}/{start}"):
            last = self._consumer.end_offsets([place])[place]
        yield from self._between(place, max(first, start), min(end, last))

    def _first(self, place: TopicPartition) -> int | None:
        with _translated(f"read {place.topic}/{place.partition}"):
            if place.partition not in (self._consumer.partitions_for_topic(place.topic) or ()):
                return None
            return int(self._consumer.beginning_offsets([place])[place])

    def _between(self, place: TopicPartition, start: int, end: int) -> Iterator[Any]:
        with _translated(f"read {place.topic}/{place.partition}"):
            yield from records_between(
                self._consumer,
                place,
                start,
                end,
                quiet_seconds=QUIET_SECONDS,
                silent=BrokerUnavailableError,
            )


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OffsetOutOfRangeError as error:
        msg = f"cannot {what}: retention deletes while it is read ({error}); try again"
        raise BrokerUnavailableError(msg) from error
    except KafkaError as error:
        raise BrokerUnavailableError(f"cannot {what}: {error}") from error
