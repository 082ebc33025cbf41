"""Looks at a role at work, tells the probes what it sees, and heals what stands still."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError

from consumers.batches import PartitionBatch, Place
from consumers.health.condition import Condition
from consumers.health.log_ends import LogEnds
from consumers.health.snapshot import Snapshot
from consumers.health.watchdog import Look, Reading, Step, Verdict, Watchdog, Work
from consumers.telemetry import Log
from model.errors import RetryError, StopError

SHORTEST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.2, 5.0
HEAL_SECONDS = 30.0
"""For one step of healing; it has failed then."""


class StalledError(StopError):
    """The role stands still, and nothing that it can do itself has helped."""


class Watched(Protocol):
    """What the supervisor needs of the consumer."""

    def reached(self, place: Place) -> int | None:
        """The next offset that will be handed on; None before one is known. Asks nobody."""
        ...

    async def start_over(self) -> bool:
        """Read every partition again from its committed offset."""
        ...

    async def renew(self) -> None:
        """Leave the group and join it again with a new client."""
        ...


class InHand(Protocol):
    """What the supervisor needs of the handover."""

    held: frozenset[Place]
    in_hand: PartitionBatch | None
    tried_at: float
    handed: int


class Supervisor:
    """Looks every few seconds; what it saw last is `snapshot`, which any thread may read.

    Args:
        role: its name.
        consumer: called anew for each look: it is made when the role starts.
        handover: the way of batches to the handler.
        condition: of the handler.
        ends: where partitions end.
        watchdog: decides.
        log: with the role bound.
        fail: stops the role with an error.
    """

    def __init__(
        self,
        *,
        role: str,
        consumer: Callable[[], Watched],
        handover: InHand,
        condition: Callable[[], Condition],
        ends: LogEnds,
        watchdog: Watchdog,
        log: Log,
        fail: Callable[[Exception], None],
    ) -> None:
        self._consumer, self._handover, self._condition = consumer, handover, condition
        self._ends, self._watchdog, self._log, self._fail = ends, watchdog, log, fail
        self.look_seconds = min(
            max(watchdog.stall_seconds / 12, SHORTEST_LOOK_SECONDS), LONGEST_LOOK_SECONDS
        )
        watchdog.longest_gap_seconds = 3 * self.look_seconds + LONGEST_LOOK_SECONDS
        self.snapshot = Snapshot(role)

    def tell(self, **changes: object) -> None:
        """Change what the probes are told at once: state, assigned."""
        self.snapshot = replace(self.snapshot, **changes)  # type: ignore[arg-type]

    async def run(self) -> None:
        """Look, tell and heal until cancelled."""
        try:
            while True:
                await asyncio.sleep(self.look_seconds)
                await self._look()
        finally:
            await self._ends.close()

    async def _look(self) -> None:
        held = self._handover.held
        ends = await self._ends.ask(held)
        if held != self._handover.held:
            return  # a rebalance came between
        partitions = {p: Reading(self._consumer().reached(p), ends.get(p)) for p in held}
        condition = self._condition()
        work = self._work(condition)
        look = Look(time.monotonic(), partitions, work, self._handover.handed)
        verdict = self._watchdog.observe(look)
        self.tell(
            partitions=partitions,
            verdict=verdict,
            condition=condition,
            work=work,
            taken_at=look.now,
        )
        if verdict.healed:
            self._log.info("stall_healed", partitions=_named(verdict.healed))
        if verdict.step is not None:
            await self._heal(verdict.step, verdict, partitions)

    def _work(self, condition: Condition) -> Work | None:
        """What is in hand; while a batch is being taken, whatever gets on counts for it."""
        batch, beat_at = self._handover.in_hand, condition.beat_at
        if batch is None:
            return Work(condition.working_on, beat_at) if condition.working_on else None
        what = condition.working_on or f"a batch of {batch.topic}/{batch.partition}"
        beat_at = max(self._handover.tried_at, beat_at if condition.working_on else 0.0)
        return Work(what, beat_at, blocks=True)

    async def _heal(
        self, step: Step, verdict: Verdict, partitions: Mapping[Place, Reading]
    ) -> None:
        """Take a step; one that fails is followed by the next, and no client is left half made."""
        self._log.error(
            "stall_noticed",
            partitions=_named(verdict.stalled),
            seconds=[round(verdict.still[place], 1) for place in verdict.stalled],
            lags=[partitions[place].lag for place in verdict.stalled],
            work=verdict.stalled_work,
            step=step.value,
        )
        stalls = dict(self.snapshot.stalls)
        stalls[step.value] = stalls.get(step.value, 0) + 1
        self.tell(stalls=stalls)
        what = verdict.stalled_work or ", ".join(_named(verdict.stalled))
        match step:
            case Step.SEEK:
                await self._tried(step, self._consumer().start_over())
            case Step.RENEW:
                if not await self._tried(step, self._consumer().renew()):
                    self._fail(StalledError(f"{what}: no progress, and no new consumer either"))
            case Step.EXIT:
                self._fail(StalledError(f"{what}: no progress; a restart goes on from the commits"))

    async def _tried(self, step: Step, attempt: Awaitable[object]) -> bool:
        try:
            async with asyncio.timeout(HEAL_SECONDS):
                await attempt
        except (
            KafkaError,
            ConsumerStoppedError,
            IllegalStateError,
            RetryError,
            OSError,
            TimeoutError,
        ) as error:
            self._log.warning("heal_failed", step=step.value, error=repr(error))
            return False
        return True


def _named(places: tuple[Place, ...]) -> list[str]:
    return [f"{topic}/{partition}" for topic, partition in places]
