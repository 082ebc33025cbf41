"""Decides whether a fault is on, and does what its action says; the markers are its memory."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from model.errors import RetryError
from tests.faults.plan import (
    ClockJump,
    FaultPlan,
    Point,
    PointFault,
    StoreFault,
    armed_file,
    fired_file,
)

_time = time.time  # a clock jump must not move the note of when it happened


class InjectedError(RetryError):
    """What `raise` raises."""


@dataclass(frozen=True, slots=True)
class Armed:
    """Whether and since when a fault with a beginning and an end is on."""

    path: Path
    """Of the plan."""
    started: float
    """When the process did, on the monotonic clock."""

    def __call__(self, fault: PointFault | StoreFault | ClockJump) -> bool:
        """Whether the fault is on now."""
        if fault.switched and not armed_file(self.path, fault.name).exists():
            return False
        if isinstance(fault, PointFault):
            return True
        passed = time.monotonic() - self.started - fault.after_seconds
        return passed >= 0 and (fault.for_seconds is None or passed < fault.for_seconds)


class Passages:
    """Counts the passages of the named points and fires what is due.

    Args:
        plan: what to do where.
        path: of the plan; the markers stand beside it.
        armed: whether a fault is on.
    """

    def __init__(self, plan: FaultPlan, path: Path, armed: Armed) -> None:
        self._plan, self._path, self._armed = plan, path, armed
        self._passed: Counter[str] = Counter()

    def passed(self, point: Point) -> None:
        """A thread of no event loop is at a point."""
        for fault in self._due(point):
            if fault.action == "slow":
                time.sleep(fault.seconds)
            else:
                _strike(fault)

    async def passed_in_loop(self, point: Point) -> None:
        """A coroutine is at a point; `slow` lets the others go on."""
        for fault in self._due(point):
            if fault.action == "slow":
                await asyncio.sleep(fault.seconds)
            else:
                _strike(fault)

    def _due(self, point: Point) -> list[PointFault]:
        faults = [fault for fault in self._plan.points if fault.point == point]
        return [fault for fault in faults if self._counts(fault) and note(self._path, fault.name)]

    def _counts(self, fault: PointFault) -> bool:
        if not self._armed(fault) or fired_file(self._path, fault.name).exists():
            return False
        self._passed[fault.name] += 1
        return self._passed[fault.name] >= fault.nth


def note(path: Path, name: str) -> bool:
    """Write down that a fault comes to pass; whether this process was the first to do so."""
    try:
        with fired_file(path, name).open("x", encoding="utf-8") as file:
            json.dump({"pid": os.getpid(), "time": _time()}, file)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True


def _strike(fault: PointFault) -> None:
    if fault.action == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedError(f"injected at {fault.point} ({fault.name})")
