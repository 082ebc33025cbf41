"""Batches through Faust: one Faust message per fetched batch of a partition, commits our own.

Faust 0.15.3 costs about 85 microseconds a record on its way to an agent, commits past records in
flight, and resets silently where the log no longer reaches back. Here its aiokafka driver hands on
whole batches, never tracks an ack, and reads a partition from its committed offset or not at all.
It leans on inner names of faust-streaming 0.15.3, which tests/consumers/test_transport.py holds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, cast

from aiokafka import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from consumers.batches import PartitionBatch, Place
from consumers.consumer_thread import ConsumerThread, OffsetUnknownError, Rebalanced, role_of

__all__ = ["Consumer", "ConsumerThread", "Producer", "Rebalanced", "Transport"]


class Consumer(driver.Consumer):
    """Hands one message per batch to the streams and tells the role of every rebalance."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fetching = asyncio.Lock()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - the name is Faust's
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch once and yield each partition's records as one message."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
        async with self._fetching:
            records, _active = await self._wait_next_records(timeout)
            turn = role_of(self.app).conveyor.turn
        if not records or self.should_stop:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        for place, batch in records.items():
            if not self.flow_active or turn != role_of(self.app).conveyor.turn:
                return  # a rebalance: each partition is read again from its committed offset
            self._read_offset[place] = None  # Faust's own watermark would drop what is read again
            yield place, self._message(place, batch, turn)

    def _message(self, place: TP, records: Sequence[ConsumerRecord], turn: int) -> ConsumerMessage:
        last = records[-1]
        return ConsumerMessage(
            topic=place.topic,
            partition=place.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000.0,
            timestamp_type=last.timestamp_type,
            headers=[],
            key=None,
            value=cast("Any", PartitionBatch(place.topic, place.partition, records, turn)),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=place,
            generation_id=self.app.consumer_generation_id,
        )

    async def start_over(self) -> bool:
        """Read every partition again from its committed offset, as after a rebalance.

        1. Let nothing be fetched meanwhile.
        2. Seek; where that fails, nothing has changed: what is read twice was handed over.
        3. Tell the role; what it still gets of before is of an older turn.
        4. Lift whatever pause Faust has forgotten.

        Returns False where a rebalance came between, which does the same.

        Raises:
            KafkaError, OffsetUnknownError: it cannot be done.
        """
        held, turn = self.assignment(), role_of(self.app).conveyor.turn
        # 1.
        async with self._fetching:
            # 2.
            found = await self.seek_to_committed()
            lost = [place for place in held - found.keys() if self.reached(place) is not None]
            if lost:
                msg = f"{lost} were read and have no committed offset to go back to"
                raise OffsetUnknownError(msg)
            if self.app.rebalancing or turn != role_of(self.app).conveyor.turn:
                return False
            # 3.
            await role_of(self.app).conveyor.assigned(_places(held))
        # 4.
        self.app.flow_control.resume()
        self.resume_partitions(held)
        self.resume_flow()
        return True

    async def renew(self) -> None:
        """Leave the group and join it again with a new client."""
        async with self._fetching:
            self.app.on_rebalance_start()
            await self.on_partitions_revoked(self.assignment())
            await self._thread.renew()

    def reached(self, place: Place) -> int | None:
        """The next offset that will be handed on; None before one is known. Asks nobody."""
        return self._thread.reached(place)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop the flow of batches, then tell the role."""
        await super().on_partitions_revoked(revoked)
        if revoked:
            await role_of(self.app).conveyor.revoked(_places(revoked))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the role before its first batch can come."""
        await role_of(self.app).conveyor.assigned(_places(assigned))
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
        return {"acks": "all", "enable_idempotence": not role_of(self.app).settings.memory_broker}

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


def _places(partitions: Iterable[TP]) -> frozenset[Place]:
    return frozenset((place.topic, place.partition) for place in partitions)
