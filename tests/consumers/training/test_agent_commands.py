"""What the training role's handler makes of commands: refresh, pause, resume."""

from datetime import timedelta
from typing import Any

import pytest

from consumers.training import schedule
from consumers.training.agent import TrainingHandler
from consumers.training.messages import (
    Committed,
    Failed,
    GiveUpRefresh,
    Learn,
    Refresh,
    Tip,
)
from consumers.training.worker import WorkerNotReadyError
from tests.consumers.training.scene import DONE, NO_FIT, PLACE, Play, Worker, batch
from tests.consumers.training.test_pauses import paused, resumed
from tests.consumers.training.test_refreshes import AT, asked


def test_a_command_given_while_the_role_was_down_is_obeyed_before_any_window_comes(
    play: Play,
) -> None:
    worker = Worker()
    worker.until = Refresh

    async def scene(*_: Any) -> None:
        await worker.heard.wait()

    assert play(worker, scene, asked(5_000)).failed == []
    assert [type(request) for request in worker.asked] == [Tip, Refresh]
    assert worker.asked[1].commanded_at == AT + timedelta(seconds=5)
    assert worker.asked[1].why == "commanded by ops: the style guide changed"


def test_a_command_given_while_the_role_idles_wakes_it(play: Play) -> None:
    worker = Worker()
    worker.until = Refresh

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0))
        await handler._obey(asked(5_000))
        await worker.heard.wait()

    play(worker, scene)
    assert Refresh in [type(request) for request in worker.asked]


def test_a_command_outlives_a_move_of_partitions_and_of_the_tip(play: Play) -> None:
    moved = Failed(fate="retry", error="TipMovedError", message="tip is 3", tip_moved=True)
    worker = Worker(
        WorkerNotReadyError("the store does not answer"), replies={Refresh: [moved, DONE]}
    )

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.assigned(frozenset([PLACE]))
        await handler.batch(batch(0))
        await worker.heard.wait()

    play(worker, scene, asked(5_000))
    assert [type(one) for one in worker.asked] == [Tip, Refresh, Tip, Refresh, Learn]


def test_a_command_that_comes_too_early_is_obeyed_once_the_task_has_learned(play: Play) -> None:
    early = Committed(entry=None, refresh_due=None, too_early=True)
    worker = Worker(replies={Refresh: [early, DONE]})
    worker.until = Refresh

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await worker.heard.wait()
        worker.heard.clear()
        await handler.batch(batch(0))
        await worker.heard.wait()

    play(worker, scene, asked(5_000))
    assert [type(one) for one in worker.asked] == [Tip, Refresh, Learn, Refresh]


def test_a_command_that_cannot_be_obeyed_is_written_down_with_who_and_why(play: Play) -> None:
    worker = Worker(replies={Refresh: NO_FIT})
    worker.until = GiveUpRefresh

    async def scene(*_: Any) -> None:
        await worker.heard.wait()

    play(worker, scene, asked(5_000))
    assert worker.asked[-1].reason == (
        "commanded by ops: the style guide changed: NotFiniteError: the loss is not finite"
    )


def test_a_paused_task_waits_while_others_learn_and_is_learned_when_resumed(play: Play) -> None:
    worker = Worker()

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(batch(0))
        await handler.batch(batch(1, task="moods"))
        await broker.wrote.wait()
        broker.wrote.clear()
        await handler._obey(resumed(1_000))
        await broker.wrote.wait()

    broker = play(worker, scene, paused(0))
    learned = [one.task for one in worker.asked if isinstance(one, Learn)]
    assert learned == ["moods", "prices"]
    assert broker.committed == [{PLACE: 0}, {PLACE: 2}]


def test_a_refresh_of_a_paused_task_waits_too_also_one_by_command(play: Play) -> None:
    worker = Worker()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0, task="moods"))
        await worker.heard.wait()
        assert Refresh not in [type(one) for one in worker.asked]
        worker.until = Refresh
        worker.heard.clear()
        await handler._obey(resumed(2_000))
        await worker.heard.wait()

    play(worker, scene, paused(0), asked(1_000))
    assert [type(one) for one in worker.asked][-1] is Refresh


def test_a_paused_task_with_any_number_of_windows_does_not_block_the_others(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "MOST_WAITING", 1)
    worker = Worker()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0, 1, 2))
        await handler.batch(batch(3, task="moods"))
        await worker.heard.wait()

    play(worker, scene, paused(0))
    assert [one.task for one in worker.asked if isinstance(one, Learn)] == ["moods"]
