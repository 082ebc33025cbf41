"""Runs a role on Faust until a signal or an error ends it: connect, hand over batches, drain."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from consumers.app import FaustApp, create_app
from consumers.batches import PartitionBatch, Place
from consumers.publisher import Publisher
from consumers.role import RoleHandler
from consumers.role_kafka import FaustKafka
from consumers.settings import Settings
from consumers.shutdown import Deadline
from consumers.telemetry import Log, get_log
from model.errors import RetryError, StopError
from schemas.topics import Topic

LONGEST_PAUSE_SECONDS = 30.0
CONNECT_SECONDS = 60.0


class _Run:
    """One run of a role: the Faust app, the handler and the error that ends it."""

    def __init__(
        self, app: FaustApp, handler: RoleHandler, *, log: Log, deadline: Deadline
    ) -> None:
        self._app, self._handler, self._log, self._deadline = app, handler, log, deadline
        self._publisher = Publisher(app)
        self._ending = asyncio.Event()
        self._error: Exception | None = None
        self._held: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}
        self._turn = 0  # the generation's number changes only after `assigned`
        self._kafka = FaustKafka(app, self._publisher, held=lambda: self._held, fail=self.fail)
        app.conveyor = self

    # What Faust tells (Rebalanced).

    def fail(self, error: Exception) -> None:
        """Drain, and end with this error, unless there is one already."""
        if self._error is None:
            self._error = error
        self.end()

    async def assigned(self, partitions: frozenset[Place]) -> None:
        self._log.info("assigned", partitions=_named(partitions))
        self._turn += 1
        self._next.clear()
        await self._guarded(self._handler.assigned(partitions))
        self._held = partitions

    async def revoked(self, partitions: frozenset[Place]) -> None:
        self._log.info("revoked", partitions=_named(partitions))
        self._turn += 1
        self._held = self._held - partitions
        await self._guarded(self._handler.revoked(partitions))

    # The run.

    def end(self) -> None:
        """Begin to drain; the process ends within `shutdown_seconds`, drained or not."""
        self._ending.set()
        self._deadline.start(self._overdue)

    async def run(self, topics: Sequence[str]) -> Exception | None:
        """Run until told to end; returns the error that ended it, if one did."""
        agent = self._app.agent(self._app.topic(*topics, value_serializer="raw", acks=False))
        agent(self._consume)
        if not await self._connected(topics):
            await self._publisher.stop()
            return self._error
        self._log.info("role_started", topics=list(topics), group=self._app.conf.id)
        await self._start()
        if not self._ending.is_set():
            starting = asyncio.create_task(self._app.start())
            await self._until_over(starting)
            await self._drain(starting)
        else:
            await self._guarded(self._handler.stop())
        await self._app.stop()
        await self._publisher.stop()
        return self._error

    async def _until_over(self, starting: "asyncio.Task[Any]") -> None:
        """Wait for the end, which a crash of Faust is too, also one while it starts."""
        events = (self._ending, self._app._crashed, self._app._stopped)  # noqa: SLF001
        over = {asyncio.create_task(event.wait()) for event in events}
        await asyncio.wait({starting, *over}, return_when=asyncio.FIRST_COMPLETED)
        error = starting.exception() if starting.done() else None
        if error is None:
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
            error = self._app.crash_reason
        if not self._ending.is_set():
            self.fail(StopError(f"Faust ended: {error!r}"))
        for task in over:
            task.cancel()

    async def _start(self) -> None:
        """Start the handler, again after a pause where it says so."""
        pause = 0.2
        while not self._ending.is_set():
            error = await _error_of(self._handler.start(self._kafka))
            if not isinstance(error, RetryError):
                if error is not None:
                    self.fail(error)
                return
            self._log.warning("start_retried", error=str(error), pause_seconds=pause)
            pause = await self._pause(pause)

    async def _drain(self, starting: "asyncio.Task[Any]") -> None:
        self._log.info("role_stopping")
        self.end()
        self._app.consumer.stop_flow()
        await self._guarded(self._handler.stop())
        self._held = frozenset()
        starting.cancel()
        await asyncio.wait({starting})

    async def _connected(self, topics: Sequence[str]) -> bool:
        """Start the producer, which shows whether broker and topics are there."""
        deadline, pause = time.monotonic() + CONNECT_SECONDS, 0.2
        while not self._ending.is_set():
            try:
                await self._publisher.start(topics)
            except RetryError as error:
                if time.monotonic() > deadline:
                    self.fail(StopError(f"{error}; is the broker up? (tried {CONNECT_SECONDS} s)"))
                    return False
                self._log.warning("broker_awaited", error=str(error), pause_seconds=pause)
                pause = await self._pause(pause)
            except StopError as error:
                self.fail(error)
                return False
            else:
                return True
        return False

    async def _consume(self, stream: Any) -> None:
        """The Faust agent: one batch at a time, none of an older generation."""
        async for event in stream.noack().events():
            batch: PartitionBatch = event.message.value
            pause = 0.1
            while (fresh := self._fresh(batch)) is not None:
                turn = self._turn
                error = await _error_of(self._handler.batch(fresh))
                if error is None:
                    # What was handed over before a rebalance is read again.
                    if turn == self._turn:
                        self._next[fresh.place] = fresh.records[-1].offset + 1
                    break
                if not isinstance(error, RetryError):
                    self.fail(error)
                    return
                self._log.warning("batch_retried", error=str(error), pause_seconds=pause)
                pause = await self._pause(pause)

    def _fresh(self, batch: PartitionBatch) -> PartitionBatch | None:
        """What the handler has not seen of a batch of the present generation."""
        current = self._app.consumer_generation_id == batch.generation and not self._ending.is_set()
        if not current or batch.place not in self._held:
            return None
        known = self._next.get(batch.place, 0)
        if batch.records[0].offset >= known:
            return batch
        left = [record for record in batch.records if record.offset >= known]
        return (
            PartitionBatch(batch.topic, batch.partition, left, batch.generation) if left else None
        )

    async def _pause(self, seconds: float) -> float:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)
        return min(2 * seconds, LONGEST_PAUSE_SECONDS)

    async def _guarded(self, work: Awaitable[None]) -> None:
        error = await _error_of(work)
        if error is not None:
            self.fail(error)

    def _overdue(self) -> None:
        seconds = self._app.settings.shutdown_seconds
        msg = f"not left within shutdown_seconds = {seconds:g}; nothing is lost, a restart goes on"
        self._log.warning("shutdown_cut_short", reason=msg)
        _log_failure(self._log, self._error or StopError(msg))


def run_role(
    settings: Settings,
    *,
    role: str,
    topics: Sequence[Topic],
    handler: RoleHandler,
    from_latest: bool = False,
) -> int:
    """Run a role until SIGTERM, SIGINT or an error; returns the exit status.

    The status is 0 after a clean drain, else 1. Where draining and leaving take longer than
    `shutdown_seconds`, because the broker is gone for example, the whole process ends with 1.
    A new consumer group starts at the earliest offset, or at the latest with `from_latest`.
    """
    log, deadline = get_log(role=role), Deadline(settings.shutdown_seconds)

    async def run() -> Exception | None:
        app = create_app(settings, role=role, start_at="latest" if from_latest else "earliest")
        one = _Run(app, handler, log=log, deadline=deadline)
        _on_signals(one.end)
        return await one.run([settings.topic(topic.name) for topic in topics])

    try:
        error = asyncio.run(run())
    finally:
        deadline.lift()
    if error is None:
        log.info("role_stopped")
        return 0
    _log_failure(log, error)
    return 1


def _on_signals(end: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)


async def _error_of(work: Awaitable[None]) -> Exception | None:
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


def _log_failure(log: Log, error: Exception) -> None:
    # A StopError's message says what to do; a traceback would hide it.
    trace = None if isinstance(error, StopError) else error
    log.error("role_failed", error=str(error), kind=type(error).__name__, exc_info=trace)


def _named(partitions: frozenset[Place]) -> list[str]:
    return [f"{topic}/{partition}" for topic, partition in sorted(partitions)]
