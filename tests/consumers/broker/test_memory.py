"""The mock broker, by the clients that the demo's path uses."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as KafkaPythonPartition

from consumers.broker import MemoryBroker, kafka_python_options
from consumers.settings import Settings

pytest.importorskip("confluent_kafka")


def test_kafka_python_reads_back_what_it_wrote_by_offset() -> None:
    with MemoryBroker() as broker:
        settings = Settings(bootstrap_servers=broker.bootstrap_servers, memory_broker=True)
        options = kafka_python_options(settings)
        producer = KafkaProducer(**options, acks="all")
        sent = [producer.send("t", b"%d" % n, key=b"k").get(10) for n in range(3)]
        producer.close()
        partition = KafkaPythonPartition("t", sent[0].partition)
        consumer = KafkaConsumer(**options, auto_offset_reset="none", consumer_timeout_ms=10_000)
        consumer.assign([partition])
        consumer.seek(partition, 1)
        assert next(consumer).value == b"1"
        consumer.close()


def test_aiokafka_consumes_in_a_group() -> None:
    async def there_and_back(address: str) -> bytes:
        producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
        await producer.start()
        await producer.send_and_wait("t", b"hello")
        await producer.stop()
        consumer = AIOKafkaConsumer(
            "t", bootstrap_servers=address, group_id="g", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            record = await asyncio.wait_for(consumer.getone(), 20)
        finally:
            await consumer.stop()
        return bytes(record.value)

    with MemoryBroker() as broker:
        assert asyncio.run(there_and_back(broker.bootstrap_servers)) == b"hello"


def test_topics_that_are_made_beforehand_have_partitions_to_assign() -> None:
    with MemoryBroker() as broker:
        broker.make_topics(["made"])
        settings = Settings(bootstrap_servers=broker.bootstrap_servers, memory_broker=True)
        consumer = KafkaConsumer(**kafka_python_options(settings))
        assert consumer.partitions_for_topic("made") == {0, 1, 2, 3}
        assert not consumer.partitions_for_topic("not made")
        consumer.close()


def test_it_says_that_nothing_survives() -> None:
    assert "nothing in it survives" in MemoryBroker().note
