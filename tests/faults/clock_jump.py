"""A wall clock that jumps, for the project's own modules; the monotonic clock goes on.

`time.time` is replaced for all, and `datetime` in the modules of the three packages, whose `now`
and whose instances stay plain ones.
"""

import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from tests.faults.firing import Armed, note
from tests.faults.plan import ClockJump

PACKAGES = ("consumers", "model", "schemas")


class Clock:
    """How far the wall clock is off now.

    Args:
        jumps: all of them; those that are on add up.
        path: of the plan.
        armed: whether a jump is on.
    """

    def __init__(self, jumps: tuple[ClockJump, ...], path: Path, armed: Armed) -> None:
        self._jumps, self._path, self._armed = jumps, path, armed

    def shift_seconds(self) -> float:
        """What to add to the true time."""
        on = [jump for jump in self._jumps if self._armed(jump)]
        for jump in on:
            note(self._path, jump.name)
        return sum(jump.shift_seconds for jump in on)


def into_clock(jumps: tuple[ClockJump, ...], path: Path, armed: Armed) -> None:
    """Let the wall clock of this process jump; call it when the role's modules are imported."""
    if not jumps:
        return
    clock, true_time = Clock(jumps, path, armed), time.time
    time.time = lambda: true_time() + clock.shift_seconds()
    shifted = _shifted(clock)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES and vars(module).get("datetime") is datetime:
            vars(module)["datetime"] = shifted


def _shifted(clock: Clock) -> type[datetime]:
    class Meta(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, datetime)

    class Shifted(datetime, metaclass=Meta):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=clock.shift_seconds())

        @classmethod
        def fromtimestamp(cls, timestamp: float, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(timestamp, tz)

        @classmethod
        def fromisoformat(cls, date_string: str) -> Any:
            return datetime.fromisoformat(date_string)

    return Shifted
