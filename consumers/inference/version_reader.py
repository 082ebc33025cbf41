"""Reads the topic `model-versions`: all partitions from the start, without a consumer group."""

from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

ANSWER_WITHIN_MS = 5_000
"""Time that the broker has for an answer before it counts as away; `Follower.close` may wait it."""


class VersionReader:
    """A kafka-python consumer that knows when it has read to the end.

    After an error call `close`: the next `poll` connects anew and reads from the start again, which
    teaches nothing twice to those who ignore what they hold.

    Args:
        topic: its name on the broker.
        kafka: keyword arguments of `KafkaConsumer`, `bootstrap_servers` among them.
    """

    def __init__(self, *, topic: str, kafka: Mapping[str, Any]) -> None:
        self._topic = topic
        self._options = dict(kafka)
        self._consumer: KafkaConsumer | None = None
        self._ends: dict[TopicPartition, int] = {}
        self.caught_up = False
        """Whether everything that the topic held when it was opened has been read."""

    def poll(self, *, timeout_seconds: float) -> list[Any]:
        """The next records (`ConsumerRecord`), in order within a partition; may be none.

        Raises:
            kafka.errors.KafkaError: the topic is missing or the broker does not answer.
        """
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                **{"bootstrap_timeout_ms": ANSWER_WITHIN_MS} | self._options,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
        self._assign(self._consumer)
        found = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000))
        if not self.caught_up:
            self.caught_up = all(
                (self._consumer.position(partition, timeout_ms=ANSWER_WITHIN_MS) or 0) >= end
                for partition, end in self._ends.items()
            )
        return [record for records in found.values() for record in records]

    def close(self) -> None:
        """Let go of the broker; `poll` opens it again."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=1_000)
        self._consumer = None
        self._ends = {}
        self.caught_up = False

    def _assign(self, consumer: KafkaConsumer) -> None:
        """Take every partition, those too that were added later; asks the broker only then."""
        numbers = consumer.partitions_for_topic(self._topic)
        partitions = {TopicPartition(self._topic, number) for number in numbers}
        if not partitions:
            msg = f"the broker has no topic {self._topic}"
            raise UnknownTopicOrPartitionError(msg)
        if added := partitions - self._ends.keys():
            consumer.assign(sorted(partitions))
            consumer.seek_to_beginning(*added)
            self._ends |= consumer.end_offsets(list(added), timeout_ms=ANSWER_WITHIN_MS)
