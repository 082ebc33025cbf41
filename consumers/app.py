"""Runs a role on Faust: batches in, acknowledged records out, commits when the role says so."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol, cast

import faust
from aiokafka.errors import KafkaError
from faust.types import TP
from yarl import URL

from consumers.publisher import BrokerUnavailableError, Outgoing, Publisher
from consumers.settings import Settings
from consumers.telemetry import Log, get_log
from consumers.transport import Consumer, PartitionBatch, Place, Transport
from model.errors import RetryError, StopError
from schemas.topics import Topic

LONGEST_PAUSE_SECONDS = 30.0
CONNECT_SECONDS = 60.0


class RoleHandler(Protocol):
    """What a role does with its records.

    `batch` is called for one batch at a time, in offset order within a partition, and never again
    with a record that it has taken, unless it raised `RetryError` or the partition was assigned
    anew, which starts over at its committed offset. `assigned` and `revoked` may be called while
    `batch` waits. Any error but `RetryError`, from any of them, stops the role.
    """

    async def start(self, kafka: "RoleKafka") -> None:
        """Called once; publishing works, no partition is held yet."""
        ...

    async def assigned(self, partitions: frozenset[Place]) -> None:
        """Drop what is held of these: each is read again from its committed offset."""
        ...

    async def revoked(self, partitions: frozenset[Place]) -> None:
        """Drop what is held of these; another instance may read them already."""
        ...

    async def batch(self, batch: PartitionBatch) -> None:
        """Take a batch; while it waits no more than a few further batches are fetched.

        Raises:
            RetryError: the same batch is handed over again after a pause.
        """
        ...

    async def stop(self) -> None:
        """Finish or abandon the work in hand; publishing and committing still work."""
        ...


class RoleKafka(Protocol):
    """What a role can ask of the broker. Every call raises `RetryError` when it does not answer."""

    async def publish(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> tuple[int, int]:
        """Publish one record; returns partition and offset once every replica has it."""
        ...

    async def publish_all(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        """Publish many, in order within a partition, and wait for all."""
        ...

    async def commit(self, offsets: Mapping[Place, int]) -> bool:
        """Commit the next offset to read of each partition.

        Returns False where the group has given a partition away: nothing is lost, whoever holds
        it now reads from what was committed before.
        """
        ...

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset behind the last record of each partition."""
        ...

    def fail(self, error: Exception) -> None:
        """Stop the role with this error and a nonzero exit status."""
        ...


class _FaustApp(faust.App):
    """A Faust app that keeps no tables and therefore no folders."""

    settings: Settings
    start_at: Literal["earliest", "latest"]
    conveyor: "_Role"

    def _create_directories(self) -> None:
        """Make none."""

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)


def create_app(
    settings: Settings, *, role: str, start_at: Literal["earliest", "latest"] = "earliest"
) -> _FaustApp:
    """A Faust app for one role: our transport, our commits, our logging, no web port."""
    app = _FaustApp(
        settings.group(role),
        broker=[URL(f"kafka://{server}") for server in settings.bootstrap_servers.split(",")],
        broker_client_id=f"{settings.prefix}freshet-{role}",
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 4,
        broker_request_timeout=max(40.0, settings.session_timeout_seconds),
        # A role may work on one batch for long; only its heartbeats say that it is alive.
        broker_max_poll_interval=24 * 3600.0,
        # `none` reports a missing or lost offset to the transport, which knows what to do.
        consumer_auto_offset_reset="none",
        consumer_max_fetch_size=2**20,
        producer_acks=-1,
        producer_compression_type=None if settings.memory_broker else "lz4",
        producer_max_request_size=2**24,
        producer_max_batch_size=2**17,
        stream_buffer_maxsize=4,  # a message is a whole batch
        stream_wait_empty=False,  # there are no acks to wait for
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    app.settings, app.start_at = settings, start_at
    return app


class _Role:
    """One run of a role: the Faust app, the handler and the error that ends it."""

    def __init__(self, app: _FaustApp, handler: RoleHandler, log: Log) -> None:
        self._app, self._handler, self._log = app, handler, log
        self._publisher = Publisher(app)
        self._ending = asyncio.Event()
        self._error: Exception | None = None
        self._held: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}
        app.conveyor = self

    # What the handler sees (RoleKafka).

    async def publish(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> tuple[int, int]:
        return (await self.publish_all([Outgoing(topic, value, key, tuple(headers))]))[0]

    async def publish_all(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        return await self._publisher.publish_all(records)

    async def commit(self, offsets: Mapping[Place, int]) -> bool:
        wanted = {TP(*place): offset for place, offset in offsets.items() if place in self._held}
        if not wanted:
            return not offsets
        try:
            done = await cast("Consumer", self._app.consumer)._commit(wanted)  # noqa: SLF001
        except KafkaError as error:
            msg = f"cannot commit {dict(offsets)}: {error!r}"
            raise BrokerUnavailableError(msg) from error
        return bool(done) and len(wanted) == len(offsets)

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        wanted = [TP(*place) for place in places]
        try:
            found = await self._app.consumer.highwaters(*wanted)
        except KafkaError as error:
            msg = f"cannot ask for the end of {wanted}: {error!r}"
            raise BrokerUnavailableError(msg) from error
        return {(place.topic, place.partition): int(end) for place, end in found.items()}

    def fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.end()

    # What Faust tells (Rebalanced).

    async def assigned(self, partitions: frozenset[Place]) -> None:
        self._log.info("assigned", partitions=_named(partitions))
        self._next.clear()
        await self._guarded(self._handler.assigned(partitions))
        self._held = partitions

    async def revoked(self, partitions: frozenset[Place]) -> None:
        self._log.info("revoked", partitions=_named(partitions))
        self._held = self._held - partitions
        await self._guarded(self._handler.revoked(partitions))

    # The run.

    def end(self) -> None:
        """Begin to drain."""
        self._ending.set()

    async def run(self, topics: Sequence[str]) -> Exception | None:
        """Run until told to end; returns the error that ended it, if one did."""
        agent = self._app.agent(self._app.topic(*topics, value_serializer="raw", acks=False))
        agent(self._consume)
        if not await self._connected(topics):
            await self._publisher.stop()
            return self._error
        self._log.info("role_started", topics=list(topics), group=self._app.conf.id)
        await self._guarded(self._handler.start(self))
        if not self._ending.is_set():
            starting = asyncio.create_task(self._app.start())
            crashed = asyncio.create_task(self._app._stopped.wait())  # noqa: SLF001
            ending = asyncio.create_task(self._ending.wait())
            await asyncio.wait({crashed, ending}, return_when=asyncio.FIRST_COMPLETED)
            if self._app.crash_reason is not None:
                self.fail(StopError(f"Faust stopped: {self._app.crash_reason!r}"))
            await self._drain(starting)
            for task in (crashed, ending):
                task.cancel()
        else:
            await self._guarded(self._handler.stop())
        await self._app.stop()
        await self._publisher.stop()
        return self._error

    async def _drain(self, starting: "asyncio.Task[Any]") -> None:
        self._log.info("role_stopping")
        self._ending.set()
        self._app.consumer.stop_flow()
        await self._guarded(self._handler.stop())
        self._held = frozenset()
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting

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
                error = await _error_of(self._handler.batch(fresh))
                if error is None:
                    self._took(fresh)
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

    def _took(self, batch: PartitionBatch) -> None:
        if self._app.consumer_generation_id == batch.generation:
            self._next[batch.place] = batch.records[-1].offset + 1

    async def _pause(self, seconds: float) -> float:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)
        return min(2 * seconds, LONGEST_PAUSE_SECONDS)

    async def _guarded(self, work: Awaitable[None]) -> None:
        error = await _error_of(work)
        if error is not None:
            self.fail(error)


def run_role(
    settings: Settings,
    *,
    role: str,
    topics: Sequence[Topic],
    handler: RoleHandler,
    from_latest: bool = False,
) -> int:
    """Run a role until SIGTERM, SIGINT or an error; returns the exit status.

    A new consumer group starts at the earliest offset, or at the latest with `from_latest`.
    """
    return asyncio.run(
        _run(settings, role=role, topics=topics, handler=handler, from_latest=from_latest)
    )


async def _run(
    settings: Settings,
    *,
    role: str,
    topics: Sequence[Topic],
    handler: RoleHandler,
    from_latest: bool,
) -> int:
    log = get_log(role=role)
    app = create_app(settings, role=role, start_at="latest" if from_latest else "earliest")
    run = _Role(app, handler, log)
    _on_signals(run.end)
    error = await run.run([settings.topic(topic.name) for topic in topics])
    if error is None:
        log.info("role_stopped")
        return 0
    log.error("role_failed", error=str(error), kind=type(error).__name__, exc_info=_trace(error))
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
        return None
    error = task.exception()
    return error if isinstance(error, Exception) else None


def _trace(error: Exception) -> Any:
    # A StopError's message says what to do; a traceback would hide it.
    return None if isinstance(error, StopError) else error


def _named(partitions: frozenset[Place]) -> list[str]:
    return [f"{topic}/{partition}" for topic, partition in sorted(partitions)]


__all__ = [
    "BrokerUnavailableError",
    "Outgoing",
    "PartitionBatch",
    "Place",
    "RoleHandler",
    "RoleKafka",
    "create_app",
    "run_role",
]
