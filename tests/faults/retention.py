"""Deletes records as retention does: everything of a partition up to the end of a span."""

from typing import Any

from kafka import KafkaAdminClient, TopicPartition

from schemas.base import Span


def delete_through(bootstrap_servers: str, span: Span) -> int:
    """Delete a span and all before it; where the partition begins by now comes back.

    A training role that has not read the span yet writes its window down as failed and sends it to
    the dead letters. A windows role that has not committed past it stops with what to do: delete
    only what it has committed where it must go on by itself.
    """
    place = TopicPartition(span.topic, span.partition)
    admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(","))
    try:
        deleted = admin.delete_records({place: span.end})
    finally:
        admin.close()
    return int(deleted[place]["low_watermark"])
