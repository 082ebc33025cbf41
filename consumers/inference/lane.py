"""One partition's records on their way to an answer: in order, beside the other partitions."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice

from consumers.inference.answers import Entry
from consumers.telemetry import Log
from model.errors import RetryError

MAX_TEXTS = 256
"""Most texts that are answered together, and so the most that are answered twice after a crash."""
MAX_BYTES = 16 * 2**20
"""Records that wait in one lane; beyond, the whole role waits, for it takes batches in turn."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 10.0

Work = Callable[[Sequence[Entry]], Awaitable[int]]
"""Deals with the first of the entries and says with how many: 0 after it has waited in vain."""


class Lane:
    """A queue with a task that works it off, so that a held partition holds no other.

    Args:
        work: deals with entries; on `RetryError` it is called again with the same after a pause.
        on_failure: told of any other error of `work`; the lane has ended then.
        log: with the partition bound.
        max_bytes: of waiting records; `put` waits while there are more.
    """

    def __init__(
        self,
        work: Work,
        *,
        on_failure: Callable[[BaseException], None],
        log: Log,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._work = work
        self._on_failure = on_failure
        self._log = log
        self._max_bytes = max_bytes
        self.beat_at = time.monotonic()
        """When it last began or ended a piece of work."""
        self._entries: deque[Entry] = deque()
        self._num_bytes = 0
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    @property
    def busy(self) -> bool:
        """Whether records wait for an answer."""
        return bool(self._entries)

    async def put(self, entries: Sequence[Entry]) -> None:
        """Queue entries, behind all before; returns at once from a lane that has been closed."""
        async with self._changed:
            if not self._entries:
                self.beat_at = time.monotonic()
            self._entries.extend(entries)
            self._num_bytes += sum(map(_size, entries))
            self._changed.notify_all()
            await self._changed.wait_for(
                lambda: self._num_bytes <= self._max_bytes or self._closing.is_set()
            )

    def close(self) -> None:
        """Begin no further piece of work."""
        self._closing.set()

    async def finish(self, *, within_seconds: float) -> None:
        """End after the piece of work in hand; what waits behind it is dropped."""
        await self._close()
        await asyncio.wait({self._task}, timeout=within_seconds)
        await self.drop()

    async def drop(self) -> None:
        """End at once; the piece of work in hand is abandoned."""
        self._task.cancel()
        await self._close()
        await asyncio.wait({self._task})

    async def _close(self) -> None:
        self.close()
        async with self._changed:
            self._changed.notify_all()

    async def _run(self) -> None:
        while await self._filled():
            head = list(islice(self._entries, MAX_TEXTS))
            done = await self._persist(head)
            async with self._changed:
                for _ in range(done):
                    self._num_bytes -= _size(self._entries.popleft())
                self._changed.notify_all()

    async def _filled(self) -> bool:
        async with self._changed:
            await self._changed.wait_for(lambda: self._entries or self._closing.is_set())
        return not self._closing.is_set()

    async def _persist(self, entries: Sequence[Entry]) -> int:
        pause = FIRST_PAUSE_SECONDS
        while not self._closing.is_set():
            self.beat_at = time.monotonic()
            try:
                return await self._work(entries)
            except RetryError as e:
                self._log.warning("batch_retried", error=str(e), pause_seconds=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return 0

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._closing.set()
            self._on_failure(error)


def _size(entry: Entry) -> int:
    return len(entry.record.value or b"") + len(entry.record.key or b"") + 64
