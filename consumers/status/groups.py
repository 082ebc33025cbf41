"""The consumer groups of the roles: who is in them, and what they have committed."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from consumers.broker.clients import kafka_python_options
from consumers.peek import BrokerSilentError, Peek
from consumers.settings import Settings
from consumers.status.facts import Group, Role
from schemas.topics import LABELED_TEXTS, TEXTS, TRAINING_WINDOWS, Topic

COORDINATOR_SECONDS = 10.0
"""Time for a new broker to have a coordinator of groups."""
READS: Mapping[Role, Topic] = {
    "windows": LABELED_TEXTS,
    "train": TRAINING_WINDOWS,
    "serve": TEXTS,
}


def groups_of(
    settings: Settings, peek: Peek
) -> tuple[tuple[Group, ...], dict[Role, dict[int, int]]]:
    """Every role's group, and where it begins to read again, by partition.

    Raises:
        BrokerSilentError: the broker does not answer.
    """
    names: dict[Role, str] = {role: settings.group(role) for role in READS}
    members, committed = _asked(settings, list(names.values()))
    found, reads_from = [], {}
    for role, topic in READS.items():
        held = {
            place.partition: int(each.offset)
            for place, each in committed[names[role]].items()
            if place.topic == settings.topic(topic.name) and each.offset >= 0
        }
        starts, ends = peek.starts(topic), peek.ends(topic)
        # A new group begins at the first record, that of the serve role behind the last.
        unread = {**(ends if role == "serve" else starts), **held}
        reads_from[role] = unread
        lag = {n: max(0, end - max(unread.get(n, 0), starts[n])) for n, end in ends.items()}
        found.append(
            Group(
                role=role,
                name=names[role],
                members=members[names[role]],
                topic=settings.topic(topic.name),
                lag=sum(lag.values()),
                oldest_at=_oldest(peek, topic, {n: unread[n] for n, left in lag.items() if left}),
            )
        )
    return tuple(found), reads_from


def _oldest(peek: Peek, topic: Topic, unread: Mapping[int, int]) -> datetime | None:
    times = [record.timestamp for record in peek.records(topic, unread, most=1)]
    return datetime.fromtimestamp(max(min(times), 0) / 1000, UTC) if times else None


def _once_there_is_a_coordinator(ask: Callable[[], Any]) -> Any:
    """A broker that no group has met yet makes their topic when it is first asked."""
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            return ask()
        except CoordinatorNotAvailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _asked(
    settings: Settings, names: list[str]
) -> tuple[dict[str, int], dict[str, Mapping[Any, Any]]]:
    admin: Any = None
    try:
        admin = KafkaAdminClient(**kafka_python_options(settings))
        described = _once_there_is_a_coordinator(lambda: admin.describe_groups(names))
        members = {name: len(described[name]["members"]) for name in names}
        return members, {name: admin.list_group_offsets({name: None})[name] for name in names}
    except (KafkaError, OSError) as error:
        raise BrokerSilentError(f"the broker tells nothing of its groups: {error!r}") from error
    finally:
        if admin is not None:
            with suppress(KafkaError):
                admin.close()
