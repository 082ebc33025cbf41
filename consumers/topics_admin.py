"""The role `freshet topics`: create what is missing of the table of topics, say what differs.

It never changes a topic that is there: fewer days of retention delete data, and more partitions
send a key elsewhere. A person decides; the report says what is and what should be.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
)
from rich.console import Console

from consumers.broker.clients import kafka_python_options, no_broker
from consumers.settings import Settings
from model.errors import RetryError, StopError
from schemas.topics import CONTROL, MODEL_VERSIONS, REDRIVEN, TOPICS, Topic

DAY_MS = 86_400_000
NOT_FOUND = 3  # UNKNOWN_TOPIC_OR_PARTITION
ONE_PARTITION = (MODEL_VERSIONS, CONTROL, REDRIVEN)
"""Few records, read whole by every follower: one partition keeps all of them in one order."""


class Difference(NamedTuple):
    """One thing in which a topic is not as the table says."""

    topic: str
    """Its name on the broker."""
    what: str
    """A topic setting, `partitions` or `replication factor`."""
    found: str
    wanted: str
    breaks: bool
    """Whether work or data is lost by it; else it is a matter of taste or of capacity."""

    def __str__(self) -> str:
        weight = "must be" if self.breaks else "should be"
        return f"{self.topic}: {self.what} is {self.found}, {weight} {self.wanted}"


class TopicsReport(NamedTuple):
    """What `ensure_topics` did and found."""

    created: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    """There before, and as the table says."""
    differs: tuple[Difference, ...] = ()
    skipped: str = ""
    """Why nothing was done."""

    @property
    def ok(self) -> bool:
        """Whether the roles can work with these topics."""
        return not any(difference.breaks for difference in self.differs)

    def __str__(self) -> str:
        if self.skipped:
            return f"skipped    {self.skipped}"
        lines = [f"created    {name}" for name in self.created]
        lines += [f"unchanged  {name}" for name in self.unchanged]
        lines += [f"differs    {difference}" for difference in self.differs]
        return "\n".join(lines)


def partitions_of(topic: Topic, settings: Settings) -> int:
    """How many partitions the topic gets."""
    return 1 if topic in ONE_PARTITION else settings.partitions


def configs_of(topic: Topic, settings: Settings) -> dict[str, str]:
    """The topic settings on the broker that the table and the number of copies decide.

    `acks=all` waits for the replicas that are in sync, which may be the leader alone: of three or
    more copies two must have a record, so that the death of one node loses nothing acknowledged.
    """
    kept = -1 if topic.retention_days is None else int(topic.retention_days * DAY_MS)
    in_sync = {"min.insync.replicas": "2"} if settings.replication_factor >= 3 else {}
    return {
        **in_sync,
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(kept),
        "max.message.bytes": str(topic.max_message_bytes),
        "message.timestamp.type": topic.timestamps,
    }


def ensure_topics(settings: Settings, topics: Sequence[Topic] = TOPICS) -> TopicsReport:
    """Create the topics that are missing and compare the others with the table.

    Raises:
        RetryError: the broker does not answer.
        StopError: the broker refuses (rights, more replicas than brokers).
    """
    if settings.memory_broker:
        return TopicsReport(skipped="a broker in memory makes topics when they are first used")
    try:
        admin = KafkaAdminClient(**kafka_python_options(settings))
    except (KafkaError, OSError) as error:
        raise RetryError(no_broker(settings, error)) from error
    try:
        return _ensure(admin, settings, topics)
    except (KafkaConnectionError, KafkaTimeoutError) as error:
        msg = f"The broker at {settings.bootstrap_servers} went away: {error}"
        raise RetryError(msg) from error
    except KafkaError as error:
        raise StopError(f"The broker refused to describe or create topics: {error}") from error
    finally:
        admin.close()


def run(settings: Settings) -> int:
    """Run `freshet topics`: print the report; 1 where a difference would break a role."""
    report = ensure_topics(settings)
    console = Console(highlight=False, soft_wrap=True)
    console.print(str(report), markup=False)
    return 0 if report.ok else 1


def _ensure(admin: Any, settings: Settings, topics: Sequence[Topic]) -> TopicsReport:
    there = _described(admin, [settings.topic(topic.name) for topic in topics])
    missing = [topic for topic in topics if settings.topic(topic.name) not in there]
    created = _create(admin, missing, settings)
    held = [topic for topic in topics if settings.topic(topic.name) in there]
    configs = _configs(admin, list(there))
    differs = [
        difference
        for topic in held
        for name in [settings.topic(topic.name)]
        for difference in _differences(topic, settings, there[name], configs[name])
    ]
    mentioned = {*created, *(difference.topic for difference in differs)}
    names = (settings.topic(topic.name) for topic in topics)
    unchanged = tuple(name for name in names if name not in mentioned)
    return TopicsReport(created, unchanged, tuple(differs))


def _described(admin: Any, names: list[str]) -> dict[str, dict[str, Any]]:
    found = admin.describe_topics(names)
    return {one["name"]: one for one in found if one["error_code"] != NOT_FOUND}


def _create(admin: Any, topics: Sequence[Topic], settings: Settings) -> tuple[str, ...]:
    new = [
        NewTopic(
            settings.topic(topic.name),
            num_partitions=partitions_of(topic, settings),
            replication_factor=settings.replication_factor,
            topic_configs=configs_of(topic, settings),
        )
        for topic in topics
    ]
    if not new:
        return ()
    answer = admin.create_topics(new, raise_errors=False)["topics"]
    # Already there: another `freshet topics` was faster, from the same table.
    faults = [one for one in answer if one["error_code"] not in {0, TopicAlreadyExistsError.errno}]
    if faults:
        told = "; ".join(f"{one['name']}: {one['error_message']}" for one in faults)
        raise StopError(f"The broker refused to create topics: {told}")
    created = tuple(one["name"] for one in answer if one["error_code"] == 0)
    admin.wait_for_topics(list(created))
    return created


def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: {key: str(entry["value"]) for key, entry in entries.items()}
        for name, entries in found.items()
    }


def _differences(
    topic: Topic, settings: Settings, described: dict[str, Any], configs: dict[str, str]
) -> list[Difference]:
    partitions = described["partitions"]
    replicas = min((len(one["replica_nodes"]) for one in partitions), default=0)
    decided = configs_of(topic, settings)
    is_and_should = {
        "partitions": (str(len(partitions)), str(partitions_of(topic, settings))),
        "replication factor": (str(replicas), str(settings.replication_factor)),
        **{key: (configs.get(key, "unknown"), value) for key, value in decided.items()},
    }
    return [
        Difference(settings.topic(topic.name), what, found, wanted, _breaks(what, found, wanted))
        for what, (found, wanted) in is_and_should.items()
        if found != wanted
    ]


def _breaks(what: str, found: str, wanted: str) -> bool:
    """Whether the roles go wrong by it; capacity and shorter finite retention are a choice."""
    match what:
        case "cleanup.policy" | "message.timestamp.type":
            # Compaction would keep one text a task; producers' clocks would decide on windows.
            return True
        case "max.message.bytes":
            return int(found) < int(wanted)  # dead letters would be refused
        case "retention.ms":
            return wanted == "-1"  # the data set, or the current version, would be deleted
        case _:
            return False
