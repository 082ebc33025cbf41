"""Hands batches over to a role's handler: one at a time, in order, none twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from consumers.batches import PartitionBatch, Place
from consumers.role import RoleHandler
from consumers.telemetry import Log
from model.errors import RetryError, StopError

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 30.0


class Handover:
    """The way of batches to a handler, between assignments and the end.

    Args:
        handler: takes them.
        log: with the role bound.
        fail: stops the role with an error.
    """

    def __init__(
        self, handler: RoleHandler, *, log: Log, fail: Callable[[Exception], None]
    ) -> None:
        self._handler, self._log, self._fail = handler, log, fail
        self.held: frozenset[Place] = frozenset()
        self.turn = 0
        """Counts assignments and revocations; the group's generation changes only after."""
        self.in_hand: PartitionBatch | None = None
        """The batch that the handler is taking right now."""
        self.tried_at = 0.0
        """When it was handed over for the last time, by `time.monotonic`."""
        self.handed = 0
        """Batches that were handed over so far."""
        self._next: dict[Place, int] = {}
        self._ending = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()

    async def assigned(self, partitions: frozenset[Place]) -> None:
        """Start over on these, and on no others."""
        self.turn += 1
        self._next.clear()
        await self._guarded(self._handler.assigned(partitions))
        self.held = partitions

    async def revoked(self, partitions: frozenset[Place]) -> None:
        """Hand over nothing more of these."""
        self.turn += 1
        self.held = self.held - partitions
        await self._guarded(self._handler.revoked(partitions))

    def close(self) -> None:
        """Hand over nothing more."""
        self._ending.set()

    async def end(self, *, within_seconds: float) -> None:
        """Wait a while for the batch in hand; then nothing is held any more."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._free.wait(), within_seconds)
        self.held = frozenset()

    async def take(self, stream: Any) -> None:
        """The Faust agent: one batch at a time, none of an older turn."""
        async for event in stream.noack().events():
            self._free.clear()
            try:
                if not await self._taken(event.message.value):
                    return
            finally:
                self.in_hand = None
                self._free.set()

    async def _taken(self, batch: PartitionBatch) -> bool:
        """Hand a batch over, again where the handler says so; False: the role has failed."""
        pause = FIRST_PAUSE_SECONDS
        self.handed += 1
        while (fresh := self._fresh(batch)) is not None:
            self.in_hand, self.tried_at = fresh, time.monotonic()
            turn = self.turn
            error = await error_of(self._handler.batch(fresh))
            if error is None:
                # What was handed over before a rebalance is read again.
                if turn == self.turn:
                    self._next[fresh.place] = fresh.records[-1].offset + 1
                return True
            if not isinstance(error, RetryError):
                self._fail(error)
                return False
            self._log.warning("batch_retried", error=str(error), pause_seconds=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return True

    def _fresh(self, batch: PartitionBatch) -> PartitionBatch | None:
        """What the handler has not seen of a batch of the present turn."""
        if batch.turn != self.turn or self._ending.is_set() or batch.place not in self.held:
            return None
        known = self._next.get(batch.place, 0)
        if batch.records[0].offset >= known:
            return batch
        left = [record for record in batch.records if record.offset >= known]
        return PartitionBatch(batch.topic, batch.partition, left, batch.turn) if left else None

    async def _guarded(self, work: Awaitable[None]) -> None:
        if (error := await error_of(work)) is not None:
            self._fail(error)


async def error_of(work: Awaitable[None]) -> Exception | None:
    """Await something; whatever it raises is the result, since a role ends with any error."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        return StopError("a piece of work of the role was cancelled; a restart goes on")
    error = task.exception()
    return error if isinstance(error, Exception) else None
