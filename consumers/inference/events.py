"""What happens to a follower: frozen facts, and their log lines."""

from dataclasses import dataclass
from datetime import datetime

from consumers.telemetry import get_log


@dataclass(frozen=True, slots=True)
class VersionSwapped:
    """From now on this version answers."""

    task: str
    version: int
    previous: int | None
    seconds: float
    """From reading the announcement to the swap."""
    announced_at: datetime
    """When the broker took the announcement."""


@dataclass(frozen=True, slots=True)
class VersionRefused:
    """This version will not answer; the one before it goes on."""

    task: str
    version: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class TaskRemoved:
    """The task has no version any more."""

    task: str


@dataclass(frozen=True, slots=True)
class FollowDelayed:
    """Broker or store did not answer; it is tried again."""

    task: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class FollowEnded:
    """The follower has ended by a fault of the program; no version will change any more."""

    reason: str


FollowerEvent = VersionSwapped | VersionRefused | TaskRemoved | FollowDelayed | FollowEnded


def log_event(event: FollowerEvent) -> None:
    """Log an event of a follower under its catalogued name."""
    log = get_log()
    match event:
        case VersionSwapped(task, version, previous, seconds):
            log.info(
                "version_swapped",
                task=task,
                version=version,
                previous=previous,
                seconds=round(seconds, 4),
            )
        case VersionRefused(task, number, reason):
            log.error("version_refused", task=task, version=number, reason=reason)
        case TaskRemoved(task):
            log.info("task_removed", task=task)
        case FollowDelayed(name, reason):
            log.warning("follow_delayed", task=name, reason=reason)
        case FollowEnded(reason):
            log.error("follow_ended", reason=reason)
