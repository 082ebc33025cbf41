"""Three Kafka nodes (KRaft, each broker and controller) on one machine, as production has them.

Every topic, the internal ones too, has three copies, of which two must have a record before it is
acknowledged: one node may die, and nothing acknowledged is lost.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from consumers.broker import LocalKafka
from consumers.broker.errors import BrokerError
from consumers.broker.local_kafka import free_port, new_cluster_id
from tests.waiting import becomes

NUM_NODES = 3
INTERNAL = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A follower that has stopped must leave the in-sync replicas before a test's patience ends.
    "replica.lag.time.max.ms": "6000",
    # On a busy machine a quorum takes longer than the minute that a node waits for it.
    "initial.broker.registration.timeout.ms": "300000",
    "controller.quorum.election.timeout.ms": "3000",
    "controller.quorum.fetch.timeout.ms": "6000",
}


class LocalCluster:
    """Three nodes with their own ports and data; they die with this process.

    Args:
        folder: of all their data and logs.
        memory_mib: heap of one node.
    """

    def __init__(self, folder: Path, *, memory_mib: int = 320) -> None:
        cluster_id, controllers = new_cluster_id(), [free_port() for _ in range(NUM_NODES)]
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers, 1))
        self.nodes: dict[int, LocalKafka] = {}
        for number, controller in enumerate(controllers, 1):
            properties: dict[str, str] = {
                **INTERNAL,
                "node.id": str(number),
                "controller.quorum.voters": voters,
            }
            node = LocalKafka(
                folder / f"node-{number}",
                memory_mib=memory_mib,
                properties=properties,
                cluster_id=cluster_id,
            )
            properties["listeners"] = (
                f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{controller}"
            )
            self.nodes[number] = node

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all nodes."""
        return ",".join(node.bootstrap_servers for node in self.nodes.values())

    def start(self, *, timeout_seconds: float = 120.0) -> Self:
        """Start every node that is down, and return when all have joined.

        Raises:
            BrokerError: they did not in time.
        """
        try:
            for node in self.nodes.values():
                node.prepare()
            # A node answers when the quorum has a leader, and gives up without one: all at once.
            for node in self.nodes.values():
                if node.pid is None:
                    node.launch()
            for node in self.nodes.values():
                node.await_answer(timeout_seconds=timeout_seconds)
            self.await_whole(timeout_seconds=timeout_seconds)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """End all nodes; in good order the last ones would wait for a quorum that is gone."""
        self.kill()

    def kill(self) -> None:
        """End all nodes at once."""
        for node in self.nodes.values():
            node.kill()

    def kill_node(self, number: int) -> None:
        """End one node at once, as a crash would."""
        self.nodes[number].kill()

    def start_node(self, number: int) -> None:
        """Start a node again and return when it answers; its replicas catch up afterwards."""
        self.nodes[number].start()

    def await_whole(self, *, timeout_seconds: float = 120.0) -> None:
        """Return when every node has joined and every replica is in sync.

        Raises:
            BrokerError: that took too long.
        """
        if not becomes(self._is_whole, timeout_seconds=timeout_seconds):
            msg = f"the cluster was not whole within {timeout_seconds:g} s"
            raise BrokerError(msg)

    def leader_of(self, place: TopicPartition) -> int:
        """The node that leads a partition; -1 while none does."""
        return int(self._partition(place)["leader_id"])

    def move_leader(self, place: TopicPartition, *, timeout_seconds: float = 30.0) -> int:
        """Let another replica in sync lead a partition; returns the node that does.

        Raises:
            BrokerError: no other one is in sync, or it does not lead in time.
        """
        held = self._partition(place)
        others = [node for node in held["isr_nodes"] if node != held["leader_id"]]
        if not others:
            raise BrokerError(f"{place}: only its leader is in sync")
        wanted = int(min(others))
        replicas = sorted(held["replica_nodes"], key=lambda node: (node != wanted, node))
        with _Admin(self.bootstrap_servers) as admin:
            # The first of the replicas is the preferred leader.
            admin.alter_partition_reassignments({place: replicas})
            admin.elect_leaders(0, {place.topic: [place.partition]}, raise_errors=False)
        if not becomes(lambda: self.leader_of(place) == wanted, timeout_seconds=timeout_seconds):
            raise BrokerError(f"{place}: {wanted} does not lead it within {timeout_seconds:g} s")
        return wanted

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _partition(self, place: TopicPartition) -> dict[str, Any]:
        with _Admin(self.bootstrap_servers) as admin:
            [topic] = admin.describe_topics([place.topic])
        return next(p for p in topic["partitions"] if p["partition_index"] == place.partition)

    def _is_whole(self) -> bool:
        try:
            with _Admin(self.bootstrap_servers) as admin:
                if len(admin.describe_cluster()["brokers"]) < NUM_NODES:
                    return False
                return _in_sync(admin.describe_topics())
        except (KafkaError, OSError):
            return False


def _in_sync(topics: Sequence[dict[str, Any]]) -> bool:
    partitions = [partition for topic in topics for partition in topic["partitions"]]
    return all(len(p["isr_nodes"]) == len(p["replica_nodes"]) for p in partitions)


class _Admin:
    """An admin client for one question, since the node that it holds on to may die."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._client: Any = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers.split(","), bootstrap_timeout_ms=10_000
        )

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
