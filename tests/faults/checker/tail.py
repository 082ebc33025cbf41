"""Reads every topic from its beginning with plain clients, and asks for committed offsets."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from tests.faults.checker.evidence import Evidence, Place, Record

TOPICS = (
    "labeled-texts", "labeled-texts.dead-letters", "training-windows",
    "training-windows.dead-letters", "evaluation-events", "model-versions", "texts",
    "texts.dead-letters", "predictions", "control",
)  # fmt: skip
ROLES = ("windows", "train", "serve")
POLL_MS = 50
ANSWER_WITHIN_MS = 5_000


class Tail:
    """Keeps whatever was appended, also what retention or compaction deletes later.

    Args:
        servers: the brokers.
        prefix: of the installation's topics and groups.
    """

    def __init__(self, servers: Iterable[str], *, prefix: str) -> None:
        self._prefix = prefix
        self._options: dict[str, Any] = {
            "bootstrap_servers": list(servers),
            "client_id": f"{prefix}checker",
            "reconnect_backoff_max_ms": 500,
        }
        self._admin: Any = None
        self._consumer: Any = KafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=5000,
        )
        names = (prefix + topic for topic in TOPICS)
        self._places = [
            TopicPartition(name, number)
            for name in names
            for number in self._consumer.partitions_for_topic(name)
        ]
        self._consumer.assign(self._places)
        self._consumer.seek_to_beginning(*self._places)
        self.records: dict[str, list[Record]] = {topic: [] for topic in TOPICS}

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close(autocommit=False)
        self._close_admin()

    def poll(self) -> None:
        """Take what has come since; nothing while the broker is away."""
        try:
            batches = self._consumer.poll(timeout_ms=POLL_MS)
        except KafkaError:
            return
        for place, batch in batches.items():
            topic = self._bare(place.topic)
            self.records[topic] += [
                Record(topic, r.partition, r.offset, r.timestamp, r.key, r.value) for r in batch
            ]

    def read_on(self) -> dict[Place, int]:
        """Take everything that is there now; where each partition ends comes back.

        Raises:
            kafka.errors.KafkaError: the broker does not answer.
        """
        ends = self._consumer.end_offsets(self._places, timeout_ms=ANSWER_WITHIN_MS)
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            self.poll()
        return {(self._bare(place.topic), place.partition): end for place, end in ends.items()}

    def committed(self) -> dict[str, dict[Place, int]]:
        """What each role's group has committed.

        Raises:
            kafka.errors.KafkaError: the broker does not answer.
        """
        groups = {f"{self._prefix}freshet-{role}": role for role in ROLES}
        found = self._asked(lambda admin: admin.list_group_offsets(dict.fromkeys(groups)))
        return {
            role: {
                (self._bare(place.topic), place.partition): held.offset
                for place, held in found.get(group, {}).items()
                if held.offset >= 0
            }
            for group, role in groups.items()
        }

    def evidence(self, store: Path, *, max_text_chars: int) -> Evidence:
        """Everything as it is now: offsets first, so that what they cover has been read.

        Raises:
            kafka.errors.KafkaError: the broker does not answer.
        """
        committed = self.committed()
        ends = self.read_on()
        return Evidence(
            store=store,
            prefix=self._prefix,
            records={topic: list(records) for topic, records in self.records.items()},
            committed=committed,
            ends=ends,
            max_text_chars=max_text_chars,
        )

    def _asked(self, question: Callable[[Any], Any]) -> Any:
        """What an admin client says; after an error the next question gets a new one."""
        try:
            if self._admin is None:
                self._admin = KafkaAdminClient(
                    **self._options, bootstrap_timeout_ms=ANSWER_WITHIN_MS
                )
            return question(self._admin)
        except KafkaError:
            self._close_admin()
            raise

    def _close_admin(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _bare(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)
