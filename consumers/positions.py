"""Reads a partition from one offset up to another, with a plain kafka-python consumer."""

from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition

from model.errors import RetryError


def records_between(
    consumer: Any,
    place: TopicPartition,
    start: int,
    end: int,
    *,
    quiet_seconds: float,
    silent: type[RetryError],
) -> Iterator[Any]:
    """The records (`ConsumerRecord`) of a partition from `start`, `end` exclusive.

    Ends by `position`, since control records and compacted ones never come out.

    Args:
        consumer: without a group; it is assigned this partition alone.
        place: topic and partition.
        start: the first offset.
        end: at most where the log ends.
        quiet_seconds: longest time without a record before the broker counts as silent.
        silent: what is raised then.

    Raises:
        KafkaError: as the consumer raises it.
    """
    if start >= end:
        return
    consumer.assign([place])
    consumer.seek(place, start)
    while (before := consumer.position(place)) < end:
        batches = consumer.poll(timeout_ms=int(quiet_seconds * 1000))
        if not batches and consumer.position(place) == before:
            where = f"{place.topic}/{place.partition} from offset {before}"
            raise silent(f"no record of {where} within {quiet_seconds:g} s")
        yield from (record for record in batches.get(place, ()) if record.offset < end)
