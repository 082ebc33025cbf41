"""How far a command is, in words: one line in a few seconds, however often it is told."""

import math
import time
from collections.abc import Callable
from typing import Any

STAGES = {
    "encoding": "encoding the window",
    "solving": "solving the head",
    "rereading": "reading the log again",
    "fitting": "fitting the encoder",
    "recomputing": "encoding old records anew",
    "exporting": "exporting and proving",
}
"""The course of a round."""
EVENTS = {
    "connecting": "asking the broker",
    "contest": "trying another plan",
    "arm_diverged": "a plan came to nothing",
    "rollback_refused": "no rollback",
    "ancestor_gone": "an older encoder is gone",
    "overtaken": "an update was faster; once more",
}
"""What comes between; each is told."""
EVERY_SECONDS = 5.0


class SeldomTold:
    """Takes every step of a command's work (a `model.data.Progress`), and tells some.

    Args:
        tell: takes a line.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, tell: Callable[[str], object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._clock = tell, clock
        self._told_at = -math.inf

    def __call__(self, stage: str, /, **fields: Any) -> None:
        """Tell a step of the course unless one was told a moment ago, and anything else at once."""
        now = self._clock()
        if stage in STAGES:
            if now - self._told_at < EVERY_SECONDS:
                return
            self._told_at = now
        self._tell(in_words(stage, fields))


def in_words(stage: str, fields: dict[str, Any]) -> str:
    """One line on a step, with the figures that say how far or why."""
    told = STAGES.get(stage) or EVENTS.get(stage) or stage.replace("_", " ")
    if "steps" in fields:
        told += f", step {fields['step']} of {fields['steps']}"
    if "records" in fields:
        most = "at most " if stage == "rereading" else ""
        told += f", {most}{fields['records']} records"
    if "arm" in fields:
        told += f" ({fields['arm']})"
    return f"{told}: {fields['reason']}" if "reason" in fields else told
