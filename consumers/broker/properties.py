"""The server.properties of the single-node broker."""

from collections.abc import Mapping
from pathlib import Path

MAX_MESSAGE_BYTES = 16_777_216
"""A dead letter carries the raw bytes of what was refused."""


def server_properties(
    *, data: Path, port: int, controller_port: int, overrides: Mapping[str, str] | None = None
) -> str:
    """The text of server.properties: one node that is broker and controller (KRaft)."""
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        # One node cannot keep three copies.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Their defaults of 50 partitions cost seconds and files when first used.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        # A group of roles starts at once; production waits 3 s for more members.
        "group.initial.rebalance.delay.ms": "0",
        # A misspelt topic must be an error here too, not a topic.
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
        # After a kill the controller refuses the same node id until the old session has ended.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
    }
    properties |= dict(overrides or {})
    return "".join(f"{name}={value}\n" for name, value in properties.items())
