"""One installation for one round: topics, store, two roles of each kind, producers, the tail."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from consumers.settings import Settings, load_settings
from consumers.topics_admin import ensure_topics
from schemas.topics import LABELED_TEXTS, TOPICS
from tests.faults.checker.tail import Tail
from tests.faults.crew import Crew
from tests.faults.feeder import Feeder
from tests.faults.schedule import ROLES
from tests.faults.stream import MAX_TEXT_CHARS, PARTITIONS, TASKS, asking_stream, labeled_stream
from tests.integration.installation import environment_of, write_config

LABELED_RATE, ASKING_RATE = 40.0, 10.0
"""Records a second."""
FIRST_RECORDS = 200
WINDOW = 20
DEFAULTS: dict[str, Any] = {"window": {"records": WINDOW, "max_idle_seconds": 3}}
REFRESHING: dict[str, Any] = {
    "refresh": {
        "enabled": True,
        "first_after_records": 100,
        "every_records": 100,
        "least_records": 20,
        "min_records_per_label": 5,
    }
}
"""Of one task: an encoder that is tuned anew is the longest round."""


class Stage:
    """What a round plays on; `close` ends all of it and deletes its topics.

    Args:
        servers: the brokers.
        folder: of the round's store, logs and plans.
        base_model: a tiny one.
        cache: with its exported graph, so that no role pays for it.
        own: variables of single roles.
        seed: of the streams.
        replication_factor: of the topics.
    """

    def __init__(
        self,
        servers: str,
        *,
        folder: Path,
        base_model: Path,
        cache: Path,
        own: Mapping[str, Mapping[str, str]],
        seed: int,
        replication_factor: int = 1,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        tasks = {**dict.fromkeys(TASKS), "centre": REFRESHING}
        config = write_config(
            folder / "tasks.yaml", base_model, records=WINDOW, defaults=DEFAULTS, tasks=tasks
        )
        self.settings: Settings = load_settings(
            bootstrap_servers=servers,
            prefix=f"c{uuid.uuid4().hex[:8]}-",
            partitions=PARTITIONS,
            replication_factor=replication_factor,
            store=str(folder / "store"),
            cache=cache,
            config=config,
            device="cpu",
            session_timeout_seconds=6.0,
            max_text_chars=MAX_TEXT_CHARS,
        )
        ensure_topics(self.settings)
        self.store = Path(self.settings.store)
        environment = {
            **environment_of(self.settings),
            # Retention takes many windows at once here: that is no systemic fault.
            "FRESHET_MAX_FAILED_WINDOWS": "1000",
        }
        self.crew = Crew(logs=folder / "logs", environment=environment, own=own)
        self.tail = Tail(servers.split(","), prefix=self.settings.prefix)
        prefix = self.settings.prefix
        self.labeled = Feeder(
            servers, prefix=prefix, stream=labeled_stream(seed), rate=LABELED_RATE
        )
        self.asking = Feeder(servers, prefix=prefix, stream=asking_stream(seed), rate=ASKING_RATE)

    def start(self) -> None:
        """Start every role."""
        for name in ROLES:
            self.crew.join(name)

    def feed_first(self, seconds: float) -> None:
        """Write what every task needs for its first version, then slowly more: it may need it."""
        enough = self.labeled.sent.total() >= FIRST_RECORDS
        self.labeled.step(seconds / 10 if enough else seconds)

    def feed(self, seconds: float) -> None:
        """Write what is due."""
        self.labeled.step(seconds)
        self.asking.step(seconds)

    def entries(self) -> int:
        """How many lineage entries there are."""
        return sum(1 for _ in self.store.glob("tasks/*/lineage/*.json"))

    def labeled_place(self, partition: str) -> tuple[str, int]:
        """A partition of the labeled texts, by the topic's name on the broker."""
        return self.settings.topic(LABELED_TEXTS.name), int(partition)

    def delete_windowed(self, partition: int) -> bool:
        """Delete, as retention does, what the windows role has committed; whether there was any.

        Raises:
            kafka.errors.KafkaError: the broker does not answer.
        """
        held = self.tail.committed()["windows"].get((LABELED_TEXTS.name, partition), 0)
        self.tail.read_on()  # the checker must have seen it
        if held:
            place = TopicPartition(*self.labeled_place(str(partition)))
            with self._admin() as admin:
                admin.delete_records({place: held})
        return held > 0

    def close(self) -> None:
        """End the roles, leave the broker, delete the topics."""
        self.crew.kill_all()
        self.tail.close()
        for feeder in (self.labeled, self.asking):
            feeder.close()
        with suppress(KafkaError), self._admin() as admin:  # left behind they are in nobody's way
            admin.delete_topics([self.settings.topic(topic.name) for topic in TOPICS])

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin: Any = KafkaAdminClient(
            bootstrap_servers=self.settings.bootstrap_servers.split(","), bootstrap_timeout_ms=5_000
        )
        try:
            yield admin
        finally:
            admin.close()
