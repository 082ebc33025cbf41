"""A lane works in order, retries, gives back-pressure, and ends when told."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from consumers.inference.answers import Entry
from consumers.inference.lane import MAX_TEXTS, Lane
from consumers.telemetry import get_log
from model.errors import StoreUnavailableError
from schemas.labeled_text import TextToClassify


def _entries(first: int, count: int, *, value: bytes = b"") -> list[Entry]:
    text = TextToClassify(task="colors", text="alpha")
    return [
        Entry(SimpleNamespace(offset=offset, key=None, value=value), text)
        for offset in range(first, first + count)
    ]


class _Desk:
    """Takes `at_once` entries each time, after `failures` faults and once `gate` is open."""

    def __init__(
        self,
        *,
        at_once: int = 1000,
        failures: Sequence[Exception] = (),
        gate: asyncio.Event | None = None,
    ) -> None:
        self.asked: list[list[int]] = []
        self.done: list[int] = []
        self.ended_by: list[BaseException] = []
        self.busy = asyncio.Event()
        self._at_once, self._failures, self._gate = at_once, list(failures), gate
        self._progress = asyncio.Event()

    async def work(self, entries: Sequence[Entry]) -> int:
        self.busy.set()
        offsets = [entry.record.offset for entry in entries]
        self.asked.append(offsets)
        if self._failures:
            raise self._failures.pop(0)
        if self._gate is not None:
            await self._gate.wait()
        self.done += offsets[: self._at_once]
        self._progress.set()
        return min(self._at_once, len(entries))

    def lane(self, **of: int) -> Lane:
        return Lane(self.work, on_failure=self.ended_by.append, log=get_log(), **of)

    async def until(self, count: int) -> None:
        while len(self.done) < count:
            self._progress.clear()
            await asyncio.wait_for(self._progress.wait(), 10)


def test_entries_are_worked_off_once_and_in_order() -> None:
    async def scenario() -> None:
        desk = _Desk(at_once=7)
        lane = desk.lane()
        for first in range(0, 600, 50):
            await lane.put(_entries(first, 50))
        await desk.until(600)
        await lane.finish(within_seconds=5)
        assert desk.done == list(range(600))

    asyncio.run(scenario())


def test_no_piece_is_larger_than_the_limit() -> None:
    async def scenario() -> None:
        desk = _Desk()
        lane = desk.lane()
        await lane.put(_entries(0, 2 * MAX_TEXTS + 1))
        await desk.until(2 * MAX_TEXTS + 1)
        await lane.drop()
        assert [len(piece) for piece in desk.asked] == [MAX_TEXTS, MAX_TEXTS, 1]

    asyncio.run(scenario())


def test_a_full_lane_makes_the_role_wait_until_there_is_room() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        desk = _Desk(at_once=1, gate=gate)
        lane = desk.lane(max_bytes=1000)
        await lane.put(_entries(0, 1, value=b"x" * 600))
        waiting = asyncio.create_task(lane.put(_entries(1, 1, value=b"x" * 600)))
        await desk.busy.wait()
        assert not waiting.done()
        gate.set()
        await asyncio.wait_for(waiting, 5)
        await lane.drop()

    asyncio.run(scenario())


def test_work_that_may_go_well_next_time_is_repeated_with_the_same_entries() -> None:
    async def scenario() -> None:
        desk = _Desk(failures=[StoreUnavailableError("away"), StoreUnavailableError("away")])
        lane = desk.lane()
        await lane.put(_entries(0, 2))
        await desk.until(2)
        await lane.finish(within_seconds=5)
        assert desk.asked == [[0, 1]] * 3

    asyncio.run(scenario())


def test_any_other_error_is_reported_and_ends_the_lane() -> None:
    async def scenario() -> None:
        desk = _Desk(failures=[ZeroDivisionError()])
        lane = desk.lane()
        await lane.put(_entries(0, 1))
        await asyncio.wait_for(lane.finish(within_seconds=5), 5)
        assert [type(error) for error in desk.ended_by] == [ZeroDivisionError]
        await lane.put(_entries(1, 1))
        assert desk.done == []

    asyncio.run(scenario())


@pytest.mark.parametrize("finish", [True, False])
def test_finish_completes_the_piece_in_hand_and_drop_abandons_it(*, finish: bool) -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        desk = _Desk(at_once=1, gate=gate)
        lane = desk.lane()
        await lane.put(_entries(0, 3))
        await desk.busy.wait()
        lane.close()
        ending = asyncio.create_task(lane.finish(within_seconds=5) if finish else lane.drop())
        await asyncio.sleep(0)
        gate.set()
        await ending
        assert desk.done == ([0] if finish else [])

    asyncio.run(scenario())
