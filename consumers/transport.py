"""Batches through Faust: one Faust message per fetched batch of a partition, commits our own.

Faust 0.15.3 costs about 85 microseconds a record on its way to an agent, commits past records in
flight, and resets silently where the log no longer reaches back. Here its aiokafka driver hands on
whole batches, never tracks an ack, and reads a partition from its committed offset or not at all.
It leans on inner names of faust-streaming 0.15.3, which tests/consumers/test_transport.py holds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol, cast

from aiokafka import ConsumerRecord
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from consumers.batches import PartitionBatch, Place
from consumers.settings import Settings
from model.errors import StopError

FETCH_WAIT_MILLISECONDS = 100
"""Longest time that the broker holds an empty fetch; Faust's 1500 would delay every record."""


class OffsetLostError(StopError):
    """A committed offset is outside of the log: going on would skip records without a word."""


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


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to the group: exact positions, commits that report their fate."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # A partition that has just been read waits for the fetch in flight of its neighbours.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MILLISECONDS  # noqa: SLF001
        return consumer

    async def on_thread_stop(self) -> None:
        """Leave the group; a broker that is gone must not keep the thread.

        aiokafka lets the cancellation of its own fetch out when no broker answers, and mode would
        then never say that the thread has ended.
        """
        with suppress(asyncio.CancelledError, KafkaError):
            await super().on_thread_stop()

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
        a restart and miss what came in between.
        """
        from_latest = _role(self.app).start_at == "latest"
        seek = consumer.seek_to_end if from_latest else consumer.seek_to_beginning
        await seek(place)
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
                f"{_role(self.app).settings.bootstrap_servers} --group {group} --topic "
                f"{topic}:{partition} --reset-offsets --to-earliest --execute"
            )
            _role(self.app).conveyor.fail(OffsetLostError(msg))
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
        except (CommitFailedError, IllegalStateError):
            # The group has moved on; whoever holds the partition reads it from what it committed.
            return False
        return len(wanted) == len(offsets)


class Consumer(driver.Consumer):
    """Hands one message per batch to the streams and tells the role of every rebalance."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - the name is Faust's
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch once and yield each partition's records as one message."""
        records, _active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        for place, batch in records.items():
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return  # a rebalance: each partition is read again from its committed offset
            self._read_offset[place] = None  # Faust's own watermark would drop what is read again
            yield place, self._message(place, batch, generation)

    def _message(
        self, place: TP, records: Sequence[ConsumerRecord], generation: int
    ) -> ConsumerMessage:
        last = records[-1]
        return ConsumerMessage(
            topic=place.topic,
            partition=place.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000.0,
            timestamp_type=last.timestamp_type,
            headers=[],
            key=None,
            value=cast("Any", PartitionBatch(place.topic, place.partition, records, generation)),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=place,
            generation_id=generation,
        )

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop the flow of batches, then tell the role."""
        await super().on_partitions_revoked(revoked)
        if revoked:
            await _role(self.app).conveyor.revoked(_places(revoked))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the role before its first batch can come."""
        await _role(self.app).conveyor.assigned(_places(assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Track nothing: offsets between two batches are not gaps, and commits are our own."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit nothing by itself: only `RoleKafka.commit` knows what is done."""
        return False

    async def verify_all_partitions_active(self) -> None:
        """Raise no livelock alarm: it watches acks, and there are none."""


class Producer(driver.Producer):
    """Waits for every replica, and numbers its records so that a retry repeats none."""

    def _settings_extra(self) -> Mapping[str, Any]:
        # librdkafka's mock broker loses sequence numbers; a person on a laptop needs none.
        return {"acks": "all", "enable_idempotence": not _role(self.app).settings.memory_broker}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._renewing = asyncio.Lock()

    async def renew(self, refused: Any) -> None:
        """Replace the client `refused`, whose numbers the broker takes no more, by a fresh one.

        aiokafka 0.14 numbers a batch that expires while its partition has no leader, and never
        sends it: every later batch of that partition is out of order then, for ever.

        Raises:
            KafkaError: the broker does not answer; the old client stays.
        """
        leave = refused.stop
        async with self._renewing:
            if self._producer is not refused:
                return  # another publish has renewed it
            fresh = self._new_producer()
            try:
                await fresh.start()
            except BaseException:
                await fresh.stop()
                raise
            self._producer = fresh
            self.add_future(leave())


class Transport(driver.Transport):
    """Faust's aiokafka driver with the two classes above."""

    Consumer = Consumer
    Producer = Producer


class FaustRole(Protocol):
    """What this transport needs of the Faust app that it is set on."""

    settings: Settings
    start_at: Literal["earliest", "latest"]
    conveyor: Rebalanced


def _role(app: object) -> FaustRole:
    return cast("FaustRole", app)


def _assignment(consumer: Any) -> object:
    subscription = consumer._subscription.subscription  # noqa: SLF001
    return None if subscription is None else subscription.assignment


def _places(partitions: Iterable[TP]) -> frozenset[Place]:
    return frozenset((place.topic, place.partition) for place in partitions)
