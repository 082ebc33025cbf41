"""A task whose lineage is damaged waits, ever longer, and the others do not."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.training import schedule
from consumers.training.agent import TrainingHandler
from consumers.training.holds import FIRST_HOLD_SECONDS, LONGEST_HOLD_SECONDS, Holds
from consumers.training.messages import Committed, Failed, Learn, Refresh
from consumers.training.refreshes import Refreshes
from tests.consumers.training.scene import DONE, PLACE, Play, Worker, batch

AT = datetime(2026, 1, 2, tzinfo=UTC)
DAMAGED = Failed(fate="hold", error="LineageDamagedError", message="its statistics are cut short")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_hold_ends_by_itself_and_the_next_is_twice_as_long() -> None:
    clock = Clock()
    holds = Holds({"paused"}, clock=clock)
    assert "paused" in holds
    assert "prices" not in holds

    found = [holds.hold("prices") for _ in range(7)]

    assert found[:2] == [FIRST_HOLD_SECONDS, 2 * FIRST_HOLD_SECONDS]
    assert found[-1] == LONGEST_HOLD_SECONDS
    clock.now = LONGEST_HOLD_SECONDS - 1
    assert "prices" in holds
    clock.now += 2
    assert "prices" not in holds
    holds.went_well("prices")
    assert holds.hold("prices") == FIRST_HOLD_SECONDS


def test_windows_of_a_damaged_task_wait_without_a_letter_and_other_tasks_are_learned(
    play: Play,
) -> None:
    worker = Worker(replies={Learn: [DAMAGED, DONE]})

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(batch(0))
        await handler.batch(batch(1, task="intents"))
        while len([r for r in worker.asked if isinstance(r, Learn)]) < 2:
            worker.heard.clear()
            await worker.heard.wait()

    broker = play(worker, scene)

    learned = [request.task for request in worker.asked if isinstance(request, Learn)]
    assert learned == ["prices", "intents"]
    assert (broker.failed, broker.letters) == ([], 0)
    assert broker.committed[-1] == {PLACE: 0}


def test_a_refresh_of_a_damaged_task_waits_with_it(play: Play) -> None:
    due = Committed(entry=None, refresh_due="no encoder of its own")
    worker = Worker(replies={Learn: [due, DONE], Refresh: DAMAGED})

    async def scene(handler: TrainingHandler, _: Any) -> None:
        worker.until = Refresh
        await handler.batch(batch(0))
        await worker.heard.wait()
        worker.heard.clear()
        worker.until = Learn
        await handler.batch(batch(1, task="intents"))
        await worker.heard.wait()
        assert handler._refreshes

    assert play(worker, scene).failed == []
    assert [type(r) for r in worker.asked if isinstance(r, Refresh)] == [Refresh]


def test_a_backlog_full_of_a_damaged_task_leaves_room_for_others(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "MOST_WAITING", 2)
    worker = Worker(replies={Learn: [DAMAGED, DONE]})
    worker.go_on.clear()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        full = asyncio.create_task(handler.batch(batch(0, 1)))
        other = asyncio.create_task(handler.batch(batch(2, task="intents")))
        await worker.heard.wait()
        await full
        worker.heard.clear()
        worker.go_on.set()
        await other
        await worker.heard.wait()

    play(worker, scene)

    assert [r.task for r in worker.asked if isinstance(r, Learn)] == ["prices", "intents"]


def test_what_was_to_erase_erases_whatever_was_commanded_while_it_was_asked_for() -> None:
    refreshes = Refreshes()
    erasing = Refresh(task="prices", why="to forget", commanded_at=AT, erases=True)
    plain = Refresh(task="prices", why="news", commanded_at=AT)
    refreshes.again(plain)

    refreshes.again(erasing)

    assert refreshes.take() == plain.model_copy(update={"erases": True})
