"""Runs a role on Faust until a signal or an error ends it: connect, hand over batches, drain."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from consumers.app import FaustApp, create_app
from consumers.batches import Place
from consumers.handover import LONGEST_PAUSE_SECONDS, Handover, error_of
from consumers.health.log_ends import LogEnds
from consumers.health.probes import probed
from consumers.health.supervisor import Supervisor
from consumers.health.watchdog import Watchdog
from consumers.publisher import Publisher
from consumers.role import RoleHandler, watched
from consumers.role_kafka import FaustKafka
from consumers.settings import Settings
from consumers.shutdown import Deadline
from consumers.telemetry import Log, get_log
from consumers.transport import Consumer
from model.errors import RetryError, StopError
from schemas.topics import Topic

CONNECT_SECONDS = 60.0
LEAVE_BATCH_SECONDS = 3.0
"""For the batch in hand, after the handler has stopped: published is to be committed too."""


class _Run:
    """One run of a role: the Faust app, the handler and the error that ends it."""

    def __init__(
        self, app: FaustApp, handler: RoleHandler, *, role: str, log: Log, deadline: Deadline
    ) -> None:
        self._app, self._handler, self._log, self._deadline = app, handler, log, deadline
        self._publisher = Publisher(app)
        self._ending = asyncio.Event()
        self._error: Exception | None = None
        self._handover = Handover(handler, log=log, fail=self.fail)
        self._kafka = FaustKafka(
            app, self._publisher, held=lambda: self._handover.held, fail=self.fail
        )
        settings = app.settings
        self.supervisor = Supervisor(
            role=role,
            consumer=lambda: cast("Consumer", app.consumer),
            handover=self._handover,
            condition=handler.condition,
            ends=LogEnds(settings, role=role),
            watchdog=Watchdog(settings.stall_seconds, settings.work_stall_seconds),
            log=log,
            fail=self.fail,
        )
        app.conveyor = self

    # What Faust tells (Rebalanced).

    @property
    def turn(self) -> int:
        """Of the handover."""
        return self._handover.turn

    def fail(self, error: Exception) -> None:
        """Drain, and end with this error, unless there is one already."""
        if self._error is None:
            self._error = error
        self.end()

    async def assigned(self, partitions: frozenset[Place]) -> None:
        self._log.info("assigned", partitions=_named(partitions))
        await self._handover.assigned(partitions)
        self.supervisor.tell(assigned=True)

    async def revoked(self, partitions: frozenset[Place]) -> None:
        self._log.info("revoked", partitions=_named(partitions))
        self.supervisor.tell(assigned=False)
        await self._handover.revoked(partitions)

    # The run.

    def end(self) -> None:
        """Begin to drain; the process ends within `shutdown_seconds`, drained or not."""
        self.supervisor.tell(state="draining")
        self._ending.set()
        self._deadline.start(self._overdue)

    async def run(self, topics: Sequence[str]) -> Exception | None:
        """Run until told to end; returns the error that ended it, if one did."""
        agent = self._app.agent(self._app.topic(*topics, value_serializer="raw", acks=False))
        agent(self._handover.take)
        if not await self._connected(topics):
            await self._publisher.stop()
            return self._error
        self._log.info("role_started", topics=list(topics), group=self._app.conf.id)
        await self._start()
        if not self._ending.is_set():
            self.supervisor.tell(state="running")
            watching = watched(asyncio.create_task(self.supervisor.run()), self._kafka)
            starting = asyncio.create_task(self._app.start())
            await self._until_over(starting)
            await self._drain(starting, watching)
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
            error = await error_of(self._handler.start(self._kafka))
            if not isinstance(error, RetryError):
                if error is not None:
                    self.fail(error)
                return
            self._log.warning("start_retried", error=str(error), pause_seconds=pause)
            pause = await self._pause(pause)

    async def _drain(self, starting: "asyncio.Task[Any]", watching: "asyncio.Task[None]") -> None:
        """Let go of everything, in the order that loses and repeats nothing.

        1. Fetch nothing more, and watch no longer.
        2. The handler finishes or abandons what is in hand, publishes and commits.
        3. So does the batch that it was taking; then nothing is committed any more.

        Leaving the group follows, with the consumer: others get the partitions at once.
        """
        self._log.info("role_stopping")
        self.end()
        # 1.
        self._app.consumer.stop_flow()
        self._handover.close()
        watching.cancel()
        # 2.
        await self._guarded(self._handler.stop())
        # 3.
        await self._handover.end(within_seconds=LEAVE_BATCH_SECONDS)
        starting.cancel()
        await asyncio.wait({starting, watching})

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

    async def _pause(self, seconds: float) -> float:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)
        return min(2 * seconds, LONGEST_PAUSE_SECONDS)

    async def _guarded(self, work: Awaitable[None]) -> None:
        error = await error_of(work)
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
        one = _Run(app, handler, role=role, log=log, deadline=deadline)
        _on_signals(one.end)
        with probed(settings, one.supervisor, log=log):
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


def _log_failure(log: Log, error: Exception) -> None:
    # A StopError's message says what to do; a traceback would hide it.
    trace = None if isinstance(error, StopError) else error
    log.error("role_failed", error=str(error), kind=type(error).__name__, exc_info=trace)


def _named(partitions: frozenset[Place]) -> list[str]:
    return [f"{topic}/{partition}" for topic, partition in sorted(partitions)]
