"""The thread that talks to the consumer group, on inner names of faust-streaming and mode."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, Protocol, cast

from aiokafka import ConsumerRecord
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import WorkerThread

from consumers.batches import Place
from consumers.group_errors import heed_group_errors
from consumers.settings import Settings
from model.errors import RetryError, StopError

FETCH_WAIT_MILLISECONDS = 100
"""Longest time that the broker holds an empty fetch; Faust's 1500 would delay every record."""


RENEW_SECONDS = 10.0
"""For each half of renewing a client: the old one leaves the group, the new one connects."""


class OffsetLostError(StopError):
    """A committed offset is outside of the log: going on would skip records without a word."""


class OffsetUnknownError(RetryError):
    """A partition was read and nothing was committed for it: it cannot be started over."""


class Rebalanced(Protocol):
    """Told of a rebalance before anything else happens; Faust waits for it. Must not raise."""

    async def assigned(self, partitions: frozenset[Place]) -> None:
        """These partitions are held from now on, each from its committed offset."""
        ...

    async def revoked(self, partitions: frozenset[Place]) -> None:
        """None of these is held any more, until `assigned` says so."""
        ...

    def fail(self, error: Exception) -> None:
        """Stop the role with this error."""
        ...

    @property
    def turn(self) -> int:
        """Changes with every call of the two above."""
        ...


class FaustRole(Protocol):
    """What this transport needs of the Faust app that it is set on."""

    settings: Settings
    start_at: Literal["earliest", "latest"]
    conveyor: Rebalanced


def role_of(app: object) -> FaustRole:
    """The role that a Faust app belongs to."""
    return cast("FaustRole", app)


class _Daemon(WorkerThread):
    """Does not keep the process where it cannot be stopped: a role may die at any moment."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to the group: exact positions, commits that report their fate."""

    Worker = _Daemon

    def __post_init__(self) -> None:
        super().__post_init__()
        self._reached: dict[TP, int] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # A partition that has just been read waits for the fetch in flight of its neighbours.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MILLISECONDS  # noqa: SLF001
        return consumer

    async def on_start(self) -> None:
        """Connect; Faust subscribes afterwards."""
        await super().on_start()
        heed_group_errors(self._ensure_consumer())

    async def stop(self) -> None:
        """Stop, also where the thread has only just been made: mode would let it run on."""
        # The event is set in the thread, which wakes nobody here.
        while self._thread and self._thread.is_alive() and not self._started.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await super().stop()

    def close(self) -> None:
        """Leave the client to `on_thread_stop`: Faust would close it from another thread's loop.

        It asks for that where a rebalance reaches an app that is stopping; the client would count
        as closed then, never leave the group, and others would wait for its session to end.
        """

    async def on_thread_stop(self) -> None:
        """Leave the group; a broker that is gone or does not answer must not keep the thread.

        aiokafka lets the cancellation of its own fetch out when no broker answers, and mode would
        then never say that the thread has ended.
        """
        seconds = role_of(self.app).settings.leave_seconds
        leaving = asyncio.create_task(super().on_thread_stop())
        _, late = await asyncio.wait({leaving}, timeout=seconds)
        if late:
            leaving.cancel()
            self.log.warning("The group was not left: no answer within %g s", seconds)
            return
        with suppress(asyncio.CancelledError, KafkaError):
            await leaving

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the name is Faust's
        max_records: int | None = None,
    ) -> Mapping[TP, list[ConsumerRecord]]:
        held = _assignment(consumer)
        try:
            records: Mapping[TP, list[ConsumerRecord]] = await super()._fetch_records(
                consumer, active_partitions, timeout=timeout, max_records=max_records
            )
        except NoOffsetForPartitionError as error:
            await self._start_at(consumer, error.args[0])
            return {}
        except OffsetOutOfRangeError as error:
            await self._lost(consumer, error.args[0])
            return {}
        if records and _assignment(consumer) is not held:
            # Fetched while the group rebalanced: nobody may see them, so the position goes back.
            await self._seek_to_committed()
            return {}
        return records

    async def _start_at(self, consumer: Any, place: TopicPartition) -> None:
        """Begin a partition without a committed offset, and commit where.

        Without the commit a group that starts at the latest offset would start there again after
        a restart and miss what came in between. Where this process has committed before, the broker
        has lost that: it goes on from there.
        """
        if place in self._reached:
            consumer.seek(place, self._reached[place])
        else:
            from_latest = role_of(self.app).start_at == "latest"
            await (consumer.seek_to_end if from_latest else consumer.seek_to_beginning)(place)
        await self._commit({place: await consumer.position(place)})

    async def _lost(self, consumer: Any, offsets: Mapping[TopicPartition, int]) -> None:
        firsts = await consumer.beginning_offsets(list(offsets))
        lasts = await consumer.end_offsets(list(offsets))
        group = self.app.conf.id
        for place, offset in offsets.items():
            topic, partition = place
            msg = (
                f"{topic}/{partition}: offset {offset}, where group {group} is to go on, is not in "
                f"the log, which holds {firsts[place]} to {lasts[place]}. Records were deleted "
                "before this role read them, or the topic was made anew. To go on with what is "
                f"there, stop the role and run: kafka-consumer-groups.sh --bootstrap-server "
                f"{role_of(self.app).settings.bootstrap_servers} --group {group} --topic "
                f"{topic}:{partition} --reset-offsets --to-earliest --execute"
            )
            role_of(self.app).conveyor.fail(OffsetLostError(msg))
            return

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to its committed offset."""
        found: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return found

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        found = {}
        for place in consumer.assignment():
            offset = await consumer.committed(place)
            # aiokafka's own passes over offset 0, and would leave the position where it is.
            if offset is not None:
                consumer.seek(place, offset)
                found[place] = offset
        return found

    async def renew(self) -> None:
        """Leave the group with the client in use and join it with a new one.

        Raises:
            KafkaError, TimeoutError: the old one cannot leave, or the new one cannot connect.
        """
        await self.call_thread(self._renew)

    async def _renew(self) -> None:
        old = self._ensure_consumer()
        topics = set(old.subscription())
        # Whole, or not at all: a client that does not leave would hold partitions for nobody.
        await asyncio.wait_for(old.stop(), RENEW_SECONDS)
        self._consumer = self._create_consumer(loop=self.thread_loop)
        await asyncio.wait_for(self._consumer.start(), RENEW_SECONDS)
        heed_group_errors(self._consumer)
        self._consumer.subscribe(topics=topics, listener=self._rebalance_listener)

    def reached(self, place: Place) -> int | None:
        """The next offset that will be handed on; None before one is known. Asks nobody."""
        assignment: Any = _assignment(self._ensure_consumer())
        state = None if assignment is None else assignment.state_value(TopicPartition(*place))
        return int(state.position) if state is not None and state.has_valid_position else None

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        held = consumer.assignment()
        wanted = {
            TopicPartition(*place): OffsetAndMetadata(offset, "")
            for place, offset in offsets.items()
            if TopicPartition(*place) in held
        }
        try:
            if wanted:
                await consumer.commit(wanted)
        except (CommitFailedError, IllegalStateError, ConsumerStoppedError):
            # The group has moved on; whoever holds the partition reads it from what it committed.
            return False
        self._reached.update({place: held.offset for place, held in wanted.items()})
        return len(wanted) == len(offsets)


def _assignment(consumer: Any) -> object:
    subscription = consumer._subscription.subscription  # noqa: SLF001
    return None if subscription is None else subscription.assignment
