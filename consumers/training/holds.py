"""Tasks of which nothing is learned now: paused by somebody, or with a lineage that is damaged."""

import time
from collections.abc import Callable, Container

FIRST_HOLD_SECONDS, LONGEST_HOLD_SECONDS = 30.0, 600.0


class Holds:
    """The tasks that wait; the others go on.

    A damaged task is tried again after a while, each time after twice as long: whoever puts its
    files back need not start the role anew.

    Args:
        paused: the tasks that somebody paused.
        clock: in seconds, never back.
    """

    def __init__(
        self, paused: Container[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._paused, self._clock = paused, clock
        self._until: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def __contains__(self, task: object) -> bool:
        return task in self._paused or self._until.get(str(task), 0.0) > self._clock()

    def hold(self, task: str) -> float:
        """Let a task wait; says for how many seconds."""
        seconds = min(2 * self._seconds.get(task, FIRST_HOLD_SECONDS / 2), LONGEST_HOLD_SECONDS)
        self._seconds[task] = seconds
        self._until[task] = self._clock() + seconds
        return seconds

    def went_well(self, task: str) -> None:
        """Begin with the shortest wait again."""
        self._seconds.pop(task, None)
