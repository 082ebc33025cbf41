"""What a role publishes reaches the broker, also after the broker has refused its numbers."""

import asyncio
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from consumers.app import FaustApp, create_app
from consumers.broker import kafka_python_options
from consumers.publisher import BrokerUnavailableError, Outgoing, Publisher
from consumers.settings import Settings
from schemas.topics import TRAINING_WINDOWS

KEY = b"prices"


def record(number: int) -> Outgoing:
    return Outgoing(TRAINING_WINDOWS, str(number).encode(), KEY)


def lose_a_number(app: FaustApp, settings: Settings, partition: int) -> None:
    """Number a batch and never send it, as aiokafka does when a partition has no leader."""
    place = TopicPartition(settings.topic(TRAINING_WINDOWS.name), partition)
    client: Any = app.producer._producer  # type: ignore[attr-defined]
    client._txn_manager.increment_sequence_number(place, 1)


def test_a_producer_whose_numbers_are_refused_begins_anew(settings: Settings) -> None:
    async def run() -> int:
        app = create_app(settings, role="windows")
        publisher = Publisher(app)
        await publisher.start([settings.topic(TRAINING_WINDOWS.name)])
        [(partition, _)] = await publisher.publish_all([record(0)])
        lose_a_number(app, settings, partition)
        tries = await asyncio.gather(
            *(publisher.publish_all([record(n)]) for n in (1, 2)), return_exceptions=True
        )
        assert {type(error) for error in tries} == {BrokerUnavailableError}
        await publisher.publish_all([record(1), record(2)])
        await publisher.publish_all([record(3)])
        await publisher.stop()
        return partition

    partition = asyncio.run(run())
    assert all_values(settings, partition) == [b"0", b"1", b"2", b"3"]


def test_a_client_is_renewed_once_for_all_who_were_refused(settings: Settings) -> None:
    async def run() -> tuple[Any, Any, Any]:
        app = create_app(settings, role="windows")
        publisher = Publisher(app)
        await publisher.start([settings.topic(TRAINING_WINDOWS.name)])
        producer: Any = app.producer
        first = producer._producer
        await asyncio.gather(*(producer.renew(first) for _ in range(3)))
        second = producer._producer
        await producer.renew(first)
        third = producer._producer
        await publisher.stop()
        return first, second, third

    first, second, third = asyncio.run(run())
    assert first is not second
    assert second is third


def all_values(settings: Settings, partition: int) -> list[bytes]:
    consumer: Any = KafkaConsumer(**kafka_python_options(settings))
    place = TopicPartition(settings.topic(TRAINING_WINDOWS.name), partition)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    [end] = consumer.end_offsets([place]).values()
    values: list[bytes] = []
    while consumer.position(place) < end:
        values += [found.value for found in consumer.poll(timeout_ms=1000).get(place, ())]
    consumer.close()
    return values
