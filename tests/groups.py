"""Consumer groups, by the broker's word."""

from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient

from consumers.broker.clients import kafka_python_options
from consumers.settings import Settings


def members(settings: Settings, role: str) -> list[Any]:
    """Who is in the group of a role."""
    admin: Any = KafkaAdminClient(**kafka_python_options(settings))
    with closing(admin):
        group = settings.group(role)
        found: list[Any] = admin.describe_groups([group])[group]["members"]
        return found
