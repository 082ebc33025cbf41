"""The way of batches to a handler: in turn, none of an older turn, none after the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from consumers.batches import PartitionBatch, Place
from consumers.handover import Handover
from consumers.health.condition import Condition
from consumers.role import RoleKafka
from consumers.telemetry import get_log
from model.errors import RetryError, StopError
from tests.consumers.raw import raw

PLACE: Place = ("texts", 0)


class Handler:
    """Takes batches; raises what stands in `faults`, one for each."""

    def __init__(self, *faults: Exception) -> None:
        self.taken: list[int] = []
        self.faults = list(faults)
        self.heard, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    async def start(self, kafka: RoleKafka) -> None: ...

    async def assigned(self, partitions: frozenset[Place]) -> None: ...

    async def revoked(self, partitions: frozenset[Place]) -> None: ...

    async def batch(self, batch: PartitionBatch) -> None:
        self.heard.set()
        await self.go_on.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.taken += [record.offset for record in batch.records]

    async def stop(self) -> None: ...

    def condition(self) -> Condition:
        return Condition()


class Stream:
    """What Faust hands to an agent."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[PartitionBatch] = asyncio.Queue()

    def put(self, *offsets: int, turn: int) -> None:
        self.queue.put_nowait(PartitionBatch(*PLACE, [raw(b"x", offset=n) for n in offsets], turn))

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        while True:
            batch = await self.queue.get()
            yield SimpleNamespace(message=SimpleNamespace(value=batch))
            self.queue.task_done()


def play(
    scene: Callable[[Handover, Handler, Stream], Awaitable[None]], *faults: Exception
) -> tuple[Handler, list[Exception]]:
    failed: list[Exception] = []

    async def played() -> Handler:
        handler, stream = Handler(*faults), Stream()
        handover = Handover(handler, log=get_log(), fail=failed.append)
        taking = asyncio.create_task(handover.take(stream))
        async with asyncio.timeout(20):
            await scene(handover, handler, stream)
        taking.cancel()
        await asyncio.wait({taking})
        return handler

    return asyncio.run(played()), failed


def test_a_batch_of_an_older_turn_is_dropped_since_it_is_read_again() -> None:
    async def scene(handover: Handover, _: Handler, stream: Stream) -> None:
        await handover.assigned(frozenset({PLACE}))
        first = handover.turn
        stream.put(5, 6, turn=first)
        await stream.queue.join()
        await handover.assigned(frozenset({PLACE}))  # it starts over
        stream.put(7, 8, turn=first)
        stream.put(5, 6, 7, 8, turn=handover.turn)
        await stream.queue.join()

    handler, failed = play(scene)
    assert handler.taken == [5, 6, 5, 6, 7, 8]
    assert failed == []


def test_within_a_turn_no_record_is_handed_over_twice() -> None:
    async def scene(handover: Handover, _: Handler, stream: Stream) -> None:
        await handover.assigned(frozenset({PLACE}))
        for offsets in ((5, 6), (5, 6), (6, 7)):
            stream.put(*offsets, turn=handover.turn)
        await stream.queue.join()
        assert handover.handed == 3

    handler, _ = play(scene)
    assert handler.taken == [5, 6, 7]


def test_a_batch_in_hand_at_the_end_is_awaited_and_the_next_is_not_handed_over() -> None:
    async def scene(handover: Handover, handler: Handler, stream: Stream) -> None:
        await handover.assigned(frozenset({PLACE}))
        handler.go_on.clear()
        stream.put(5, turn=handover.turn)
        stream.put(6, turn=handover.turn)
        await handler.heard.wait()
        assert handover.in_hand is not None
        handover.close()
        asyncio.get_running_loop().call_later(0.1, handler.go_on.set)
        await handover.end(within_seconds=10)
        assert handover.held == frozenset()
        await stream.queue.join()
        assert handover.in_hand is None

    handler, _ = play(scene)
    assert handler.taken == [5]


def test_a_batch_that_does_not_end_is_not_awaited_for_longer_than_that() -> None:
    async def scene(handover: Handover, handler: Handler, stream: Stream) -> None:
        await handover.assigned(frozenset({PLACE}))
        handler.go_on.clear()
        stream.put(5, turn=handover.turn)
        await handler.heard.wait()
        handover.close()
        await handover.end(within_seconds=0.05)
        assert handover.held == frozenset()

    handler, _ = play(scene)
    assert handler.taken == []


def test_a_retry_is_one_more_try_of_the_same() -> None:
    async def scene(handover: Handover, _: Handler, stream: Stream) -> None:
        await handover.assigned(frozenset({PLACE}))
        stream.put(5, turn=handover.turn)
        await stream.queue.join()

    handler, failed = play(scene, RetryError("busy"), RetryError("busy"))
    assert (handler.taken, failed) == ([5], [])


def test_any_other_error_is_the_end_of_the_role() -> None:
    stop = StopError("broken")

    async def scene(handover: Handover, handler: Handler, stream: Stream) -> None:
        await handover.assigned(frozenset({PLACE}))
        stream.put(5, turn=handover.turn)
        await handler.heard.wait()
        await handover.end(within_seconds=10)

    handler, failed = play(scene, stop)
    assert (handler.taken, failed) == ([], [stop])
