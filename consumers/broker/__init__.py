"""The broker that a demo or a test runs on: the user's, a local Apache Kafka, or one in memory."""

from consumers.broker.choose import Broker, open_broker
from consumers.broker.clients import kafka_python_options
from consumers.broker.local_kafka import LocalKafka
from consumers.broker.memory import MemoryBroker

__all__ = ["Broker", "LocalKafka", "MemoryBroker", "kafka_python_options", "open_broker"]
