"""Reads what stands on the topics now, without a consumer group: for reports, not for roles."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from consumers.broker.clients import kafka_python_options, no_broker
from consumers.positions import records_between
from consumers.settings import Settings
from model.errors import RetryError
from schemas.topics import Topic

QUIET_SECONDS = 10.0
"""Longest time without a record that is there before the broker counts as silent."""

Offsets = dict[int, int]
"""By partition."""


class BrokerSilentError(RetryError):
    """The broker does not answer, so that nothing can be said of what stands on it."""


class Peek:
    """A look at the broker; open it with `with`. A topic that is missing has no partitions.

    Every method raises `BrokerSilentError` where the broker does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Any = None

    def __enter__(self) -> Self:
        with self._answering():
            self._consumer = KafkaConsumer(
                **kafka_python_options(self._settings),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_records=5000,
                allow_auto_create_topics=False,
            )
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def is_there(self, topic: Topic) -> bool:
        """Whether the topic exists."""
        with self._answering():
            return bool(self._places(topic))

    def ends(self, topic: Topic) -> Offsets:
        """The offset behind the last record of each partition."""
        with self._answering():
            return _by_number(self._consumer.end_offsets(self._places(topic)))

    def starts(self, topic: Topic) -> Offsets:
        """The first offset that each partition still holds."""
        with self._answering():
            return _by_number(self._consumer.beginning_offsets(self._places(topic)))

    def since(self, topic: Topic, at: datetime) -> Offsets:
        """The first offset of each partition that was appended at this time or later."""
        ends, moment = self.ends(topic), int(at.timestamp() * 1000)
        with self._answering():
            places = self._places(topic)
            found = self._consumer.offsets_for_times(dict.fromkeys(places, moment))
        offsets = {place.partition: int(held.offset) for place, held in found.items() if held}
        return {number: offsets.get(number, end) for number, end in ends.items()}

    def records(self, topic: Topic, first: Mapping[int, int], *, most: int) -> Iterator[Any]:
        """The records from these offsets to where each partition ends now, at most so many each."""
        ends, starts = self.ends(topic), self.starts(topic)
        for partition, offset in sorted(first.items()):
            begin = max(offset, starts.get(partition, 0))
            end = min(ends.get(partition, 0), begin + most)
            place = TopicPartition(self._settings.topic(topic.name), partition)
            with self._answering():
                yield from records_between(
                    self._consumer,
                    place,
                    begin,
                    end,
                    quiet_seconds=QUIET_SECONDS,
                    silent=BrokerSilentError,
                )

    def tail(self, topic: Topic, *, most: int) -> Iterator[Any]:
        """The last records of each partition, about so many each."""
        first = {partition: max(0, end - most) for partition, end in self.ends(topic).items()}
        return self.records(topic, first, most=most)

    def _places(self, topic: Topic) -> list[TopicPartition]:
        name = self._settings.topic(topic.name)
        numbers = self._consumer.partitions_for_topic(name) or ()
        return [TopicPartition(name, number) for number in sorted(numbers)]

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (KafkaError, OSError) as error:
            raise BrokerSilentError(no_broker(self._settings, error)) from error


def _by_number(found: Mapping[TopicPartition, int]) -> Offsets:
    return {place.partition: int(offset) for place, offset in found.items()}
