"""librdkafka's mock broker: for a laptop without java, inside this process, nothing survives."""

from collections.abc import Iterable
from typing import Any, Literal, Self

from consumers.broker.errors import BrokerError

LOG_WARNINGS = 4
"""Of syslog's levels: librdkafka writes to stderr, below a demo's screen."""


class MemoryBroker:
    """A broker in this process's memory; topics come to be when they are first used.

    It knows no admin requests, no compaction and no retention; each topic has 4 partitions.
    """

    kind: Literal["memory"] = "memory"
    note = "a mock broker in memory: nothing in it survives the end of this process"

    def __init__(self) -> None:
        self.bootstrap_servers = ""
        self._holder: Any = None

    def start(self) -> Self:
        """Start it and learn its address.

        Raises:
            BrokerError: confluent-kafka is not installed.
        """
        try:
            from confluent_kafka import Producer  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            msg = (
                "No broker: install java 17 and mvn, or `freshet[mock-broker]`, "
                "or set KAFKA_BOOTSTRAP_SERVERS."
            )
            raise BrokerError(msg) from error
        # The mock cluster lives as long as this client.
        self._holder = Producer({"test.mock.num.brokers": 1, "log_level": LOG_WARNINGS})
        brokers = self._holder.list_topics(timeout=10).brokers.values()
        self.bootstrap_servers = ",".join(f"{one.host}:{one.port}" for one in brokers)
        return self

    def make_topics(self, names: Iterable[str]) -> None:
        """Make topics beforehand, for a reader that takes the partitions there are when it starts.

        The mock makes a topic when a client asks for it by name.
        """
        for name in names:
            self._holder.list_topics(topic=name, timeout=10)

    def stop(self) -> None:
        """End it; every record is gone."""
        self._holder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
