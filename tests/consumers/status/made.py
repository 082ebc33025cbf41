"""Facts for tests of what is said of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from consumers.status.facts import Attempt, Group, Role, Round, Status, Task

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def a_group(role: Role = "train", **changes: Any) -> Group:
    given = {
        "role": role,
        "name": f"freshet-{role}",
        "members": 1,
        "topic": "training-windows",
        "lag": 0,
        "oldest_at": None,
    }
    return Group.model_validate({**given, **changes})


def a_task(task: str = "prices", **changes: Any) -> Task:
    given = {
        "task": task,
        "serves": 12,
        "serves_since": ago(hours=1),
        "last": Round(
            sequence=12,
            kind="increment",
            outcome="promoted",
            reason="no worse on both",
            at=ago(hours=1),
        ),
    }
    return Task.model_validate({**given, **changes})


def an_attempt(**span: float) -> Attempt:
    return Attempt(name="00000013-abc", since=ago(**span))


def a_status(*tasks: Task, **changes: Any) -> Status:
    given = {
        "at": NOW,
        "broker": "localhost:9092",
        "store": "/srv/freshet-store",
        "tasks": tasks,
        "groups": (a_group("windows"), a_group("train"), a_group("serve")),
        "dead_letters": {"labeled-texts.dead-letters": 0},
        "dead_letters_since": ago(days=1),
    }
    return Status.model_validate({**given, **changes})
