"""Decides which announced versions are to be loaded, in what order and when to try again."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from schemas.model_version import ModelVersion

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
REFUSED_PAUSE_SECONDS = 30.0
"""Between two looks at a version that was refused: its files may be put right meanwhile."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A version that waits to be loaded. Times are of one monotonic clock, in seconds."""

    version: ModelVersion
    announced_at: datetime
    """When the broker took the announcement."""
    read_at: float
    due_at: float
    attempts: int = 0
    refused: bool = False
    """Whether it was refused before, and told so."""


class Backlog:
    """Of each task the newest announced version that is not yet served.

    A version at or below the one that is served, or that waits already, is ignored: it is a
    repetition, or a late word of a worker that lost its race. A refused version counts for nothing,
    so that the same announced again is tried again; it is looked at from time to time by itself.
    Only what a refused rollback takes back is not served in its place.

    Args:
        tasks: those to follow; None follows all.
    """

    def __init__(self, tasks: Collection[str] | None = None) -> None:
        self._tasks = None if tasks is None else frozenset(tasks)
        self._served: dict[str, int] = {}
        self._pending: dict[str, Pending] = {}

    def follows(self, task: str) -> bool:
        """Whether versions of the task are wanted."""
        return self._tasks is None or task in self._tasks

    def announce(self, version: ModelVersion, *, announced_at: datetime, now: float) -> bool:
        """Note a version; whether it is to be loaded."""
        waiting = self._pending.get(version.task)
        known = self._served.get(version.task, -1)
        if waiting is not None:
            number = waiting.version.version
            if not waiting.refused:
                known = number
            elif waiting.version.kind == "rollback":
                known = max(known, number - 1)  # what it takes back is not loaded in its place
        if not self.follows(version.task) or version.version <= known:
            return False
        self._pending[version.task] = Pending(
            version, announced_at=announced_at, read_at=now, due_at=now
        )
        return True

    def remove(self, task: str) -> None:
        """Forget a task; its next version may have any number."""
        self._served.pop(task, None)
        self._pending.pop(task, None)

    def due(self, *, now: float) -> Pending | None:
        """The version that has been due for longest."""
        ready = [pending for pending in self._pending.values() if pending.due_at <= now]
        return min(ready, key=lambda pending: pending.due_at, default=None)

    def seconds_until_due(self, *, now: float) -> float | None:
        """Until a version is due; None while none waits."""
        return min((max(0.0, one.due_at - now) for one in self._pending.values()), default=None)

    def serve(self, pending: Pending) -> None:
        """It was loaded."""
        del self._pending[pending.version.task]
        self._served[pending.version.task] = pending.version.version

    def refuse(self, pending: Pending, *, now: float) -> None:
        """It cannot be loaded as its files are; look again after a pause.

        A file that was damaged in the store may be put right, and a role that has just started has
        no other version to serve.
        """
        self._pending[pending.version.task] = replace(
            pending, due_at=now + REFUSED_PAUSE_SECONDS, refused=True
        )

    def postpone(self, pending: Pending, *, now: float) -> None:
        """Try it again after a pause that doubles each time."""
        pause: float = min(
            FIRST_PAUSE_SECONDS * 2 ** min(pending.attempts, 10), LONGEST_PAUSE_SECONDS
        )
        self._pending[pending.version.task] = replace(
            pending, due_at=now + pause, attempts=pending.attempts + 1
        )
