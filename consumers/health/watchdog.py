"""Decides whether a role stands still, and what is to be done about it. Assignment is not progress.

A partition stands still where the log goes on behind its position, the position does not move, and
the role has room for its records. Work stands still where something is in hand and gives no sign of
getting on. Both are judged only while the broker answers: without it nobody can move, and no
healing would help.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from consumers.batches import Place


class Step(StrEnum):
    """What is tried against a stall, in this order; whatever follows the last is the last again."""

    SEEK = "seek"
    """Start every partition over at its committed offset."""
    RENEW = "renew"
    """Leave the group with the consumer and join it with a new one."""
    EXIT = "exit"
    """End the process with a nonzero status: whoever restarts it goes on from the commits."""


LADDER = (Step.SEEK, Step.RENEW, Step.EXIT)


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a partition stands."""

    position: int | None
    """The next offset that its client will hand on; None before it knows one."""
    end: int | None
    """The offset behind its last record; None where the broker does not say."""

    @property
    def lag(self) -> int | None:
        """Records that wait in the log; None where that is not known."""
        if self.end is None:
            return None
        return max(0, self.end - (self.position or 0))


@dataclass(frozen=True, slots=True)
class Work:
    """Something in hand. Times are of the clock of `Look.now`."""

    what: str
    beat_at: float
    """When it last gave a sign of getting on."""
    blocks: bool = False
    """Whether no further batch can be handed over because of it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the watchdog is shown."""

    now: float
    """Seconds of a monotonic clock."""
    partitions: Mapping[Place, Reading]
    """Those that are held."""
    work: Work | None = None
    handed: int = 0
    """Batches that were handed over so far, all partitions together."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be known and done after one look."""

    still: Mapping[Place, float]
    """Seconds since each position moved, by the clock."""
    stalled: tuple[Place, ...] = ()
    """Partitions that stood still for the limit and do not move yet."""
    stalled_work: str = ""
    """The work that was silent for the limit and still is; empty: none."""
    step: Step | None = None
    """What to do now; None: nothing."""
    healed: tuple[Place, ...] = ()
    """Partitions that stood still and move again, or have nothing more to read."""


@dataclass(slots=True)
class _Trace:
    """One partition over time."""

    moved_at: float
    position: int | None
    waited: float = 0.0
    """Seconds that count against it, since it moved or since the last step."""


@dataclass(slots=True)
class Watchdog:
    """Notices what stands still and climbs the ladder until it moves.

    A step that did not help within half of `stall_seconds` is followed by the next one. After
    `stall_seconds` without a stall the ladder begins anew.

    Args:
        stall_seconds: a partition with records to read may stand still for so long.
        work_seconds: work in hand may be silent for so long.
        longest_gap_seconds: most seconds that count between two looks; what is more than that is
            time in which this process did not run (a pause, a sleeping laptop).
    """

    stall_seconds: float
    work_seconds: float
    longest_gap_seconds: float = math.inf
    _traces: dict[Place, _Trace] = field(default_factory=dict)
    _last: float | None = None
    _work: tuple[str, float] | None = None
    _handed: int = 0
    _silent: float = 0.0
    _steps: int = 0
    _calm: float = 0.0
    _ill: set[Place] = field(default_factory=set)

    def observe(self, look: Look) -> Verdict:
        """Take a look into account.

        1. Note what moved, and what did not while it should have.
        2. Judge.
        3. Take the next step of the ladder where one is due.
        """
        before = look.now if self._last is None else self._last
        self._last = look.now
        gap = min(look.now - before, self.longest_gap_seconds)
        answered = all(reading.end is not None for reading in look.partitions.values())
        judged = gap if answered and look.partitions else 0.0
        # 1.
        self._listen(look.work, judged)
        healed = self._trace(look, judged if self._had_room(look) else 0.0)
        # 2.
        limit = self.stall_seconds / 2 if self._steps else self.stall_seconds
        stalled = {place for place, trace in self._traces.items() if trace.waited >= limit}
        silent = look.work is not None and self._silent >= self.work_seconds
        # 3.
        stuck = silent and (not self._steps or self._calm >= self.stall_seconds / 2)
        step = self._next_step(stalled, judged, due=bool(stalled) or stuck)
        return Verdict(
            still={place: look.now - trace.moved_at for place, trace in self._traces.items()},
            stalled=tuple(sorted(self._ill)),
            stalled_work=look.work.what if silent and look.work is not None else "",
            step=step,
            healed=healed,
        )

    def _had_room(self, look: Look) -> bool:
        """Whether every partition's turn came since the last look: it could have moved."""
        handed, self._handed = look.handed - self._handed, look.handed
        blocked = look.work is not None and look.work.blocks
        return not blocked or handed >= len(look.partitions)

    def _listen(self, work: Work | None, judged: float) -> None:
        sign = None if work is None else (work.what, work.beat_at)
        self._silent = 0.0 if sign is None or sign != self._work else self._silent + judged
        self._work = sign

    def _trace(self, look: Look, judged: float) -> tuple[Place, ...]:
        """Follow each partition; the healed ones come back."""
        for gone in self._traces.keys() - look.partitions.keys():
            del self._traces[gone]
            self._ill.discard(gone)
        well = []
        for place, reading in look.partitions.items():
            trace = self._traces.get(place)
            if trace is None:
                self._traces[place] = _Trace(look.now, reading.position)
                continue
            moved = _advanced(trace.position, reading.position)
            if moved:
                trace.moved_at = look.now
            if moved or reading.lag == 0:
                trace.waited = 0.0
                well.append(place)
            else:
                trace.waited += judged
            trace.position = reading.position
        healed = self._ill.intersection(well)
        self._ill -= healed
        return tuple(sorted(healed))

    def _next_step(self, stalled: set[Place], judged: float, *, due: bool) -> Step | None:
        if not due:
            self._calm += judged
            if self._calm >= self.stall_seconds:
                self._steps = 0
            return None
        step = LADDER[min(self._steps, len(LADDER) - 1)]
        self._steps, self._calm = self._steps + 1, 0.0
        self._ill |= stalled
        for trace in self._traces.values():
            trace.waited = 0.0
        return step


def _advanced(before: int | None, now: int | None) -> bool:
    """A step back is none forward: a seek to the committed offset proves nothing yet."""
    return before is not None and now is not None and now > before
