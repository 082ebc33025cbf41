"""The brokers of a campaign under one name: a single node, or three."""

from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from kafka import TopicPartition

from consumers.broker import LocalKafka
from consumers.broker.errors import BrokerError
from tests.faults.cluster import LocalCluster


class SingleNode:
    """One node, named `1`."""

    nodes: tuple[str, ...] = ("1",)
    replication_factor = 1

    def __init__(self, folder: Path) -> None:
        self._kafka = LocalKafka(folder)

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""
        return self._kafka.bootstrap_servers

    def kill(self, _node: str) -> bool:
        """End it at once."""
        self._kafka.kill()
        return True

    def start(self, _node: str) -> None:
        """Start it where it is down."""
        self._kafka.start()

    def move_leader(self, topic: str, partition: int) -> None:
        """There is none to move to."""
        raise BrokerError(f"{topic}/{partition}: one node cannot give up what it leads")

    def __enter__(self) -> Self:
        self._kafka.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.stop()


class ThreeNodes:
    """A cluster of nodes `1` to `3`, of which one may be down at a time."""

    nodes: tuple[str, ...] = ("1", "2", "3")
    replication_factor = 3

    def __init__(self, folder: Path) -> None:
        self._cluster = LocalCluster(folder)

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all."""
        return self._cluster.bootstrap_servers

    def kill(self, node: str) -> bool:
        """End one at once; not where another is down already: one alone takes no records."""
        whole = all(one.pid is not None for one in self._cluster.nodes.values())
        if whole:
            self._cluster.kill_node(int(node))
        return whole

    def start(self, node: str) -> None:
        """Start it where it is down; the next may be killed when its copies are in sync."""
        self._cluster.start_node(int(node))
        with suppress(BrokerError):
            self._cluster.await_whole()

    def move_leader(self, topic: str, partition: int) -> None:
        """Let another replica in sync lead; where none is, there is nothing to move."""
        with suppress(BrokerError):
            self._cluster.move_leader(TopicPartition(topic, partition))

    def __enter__(self) -> Self:
        self._cluster.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._cluster.stop()
