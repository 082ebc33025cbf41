"""Which versions answer, as the newest predictions tell."""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from consumers.peek import Peek
from consumers.settings import Settings
from schemas.prediction import Prediction
from schemas.topics import PREDICTIONS

LOOKED_AT = 500
"""Newest predictions of each partition."""


class Answering(NamedTuple):
    """The versions of a task that its newest predictions name."""

    newest: int
    """Of the last prediction."""
    at: datetime
    """When that was made."""
    versions: frozenset[int]
    """All of them: the roles of a group swap one after the other."""


def answering(peek: Peek) -> dict[str, Answering]:
    """What answers, by task; nothing of a task that none of the newest predictions is of.

    Followers in other services leave no predictions: for them a version is kept by its age.

    Raises:
        BrokerSilentError: the broker does not answer.
    """
    by_task: dict[str, list[Prediction]] = defaultdict(list)
    for record in peek.tail(PREDICTIONS, most=LOOKED_AT):
        try:
            found = Prediction.decode(record.value or b"")
        except ValidationError:
            continue  # not ours
        by_task[found.task].append(found)
    return {
        task: Answering(
            newest=last.version,
            at=last.predicted_at,
            versions=frozenset(each.version for each in found),
        )
        for task, found in by_task.items()
        for last in [max(found, key=lambda each: each.predicted_at)]
    }


def served(settings: Settings) -> dict[str, frozenset[int]]:
    """The versions that answer, by task.

    Raises:
        BrokerSilentError: the broker does not answer.
    """
    with Peek(settings) as peek:
        return {task: found.versions for task, found in answering(peek).items()}
