"""The training role's handler, with a worker and a broker that are not there."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from consumers.batches import PartitionBatch
from consumers.control import GivenCommand
from consumers.health.condition import Condition
from consumers.settings import Settings
from consumers.training import agent, schedule
from consumers.training import worker as worker_module
from consumers.training.agent import TrainingHandler
from consumers.training.messages import (
    Committed,
    Failed,
    GiveUp,
    GiveUpRefresh,
    Learn,
    Refresh,
    Tip,
)
from consumers.training.worker import WorkerNotReadyError
from model.errors import StopError
from tests.consumers.raw import raw
from tests.consumers.training.test_backlog import TOPIC, waiting
from tests.consumers.training.test_pauses import paused, resumed
from tests.consumers.training.test_refreshes import AT, asked

PLACE = (TOPIC, 0)
DONE = Committed(entry=None, refresh_due=None)
NO_FIT = Failed(fate="reject", error="NotFiniteError", message="the loss is not finite")


class Broker:
    """Notes what is committed, and what stops the role."""

    def __init__(self) -> None:
        self.failed: list[Exception] = []
        self.committed: list[dict[tuple[str, int], int]] = []
        self.letters = 0
        self.told, self.wrote = asyncio.Event(), asyncio.Event()

    def fail(self, error: Exception) -> None:
        self.failed.append(error)
        self.told.set()

    async def publish(self, *_: Any, **__: Any) -> None:
        self.letters += 1

    async def commit(self, offsets: dict[tuple[str, int], int]) -> bool:
        self.committed.append(offsets)
        self.wrote.set()
        return True


class Worker:
    """Starts as it is told, and answers each request by `replies`, else with success."""

    def __init__(self, *starts: Exception, replies: dict[type, Any] | None = None) -> None:
        self.starts = list(starts)
        self.replies = replies or {}
        self.asked: list[Any] = []
        self.stopped = self.dead = False
        self.starts_made = 0
        self.heard, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.until: type = Learn

    async def start(self) -> None:
        if self.starts:
            raise self.starts.pop(0)
        if self.starts_made == 0 or self.dead:
            self.starts_made, self.dead = self.starts_made + 1, False

    async def ask(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(request, self.until):
            self.heard.set()
            await self.go_on.wait()
        reply = self.replies.get(type(request), DONE)
        return reply.pop(0) if isinstance(reply, list) else reply

    @property
    def up(self) -> bool:
        return not self.dead

    def condition(self) -> Condition:
        return Condition()

    async def stop(self) -> None:
        self.stopped = True


class Control:
    """The commands that were given while the role was down; more are given by `_obey`."""

    def __init__(self, *given: GivenCommand) -> None:
        self._given = list(given)

    async def known(self) -> list[GivenCommand]:
        return self._given

    def follow(self, _: Any) -> "asyncio.Task[None]":
        return asyncio.create_task(asyncio.sleep(0))

    async def stop(self) -> None:
        pass


Scene = Callable[[TrainingHandler, Any], Awaitable[None]]
Play = Callable[..., Broker]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Runs a handler with this worker through a scene, within bounds."""
    monkeypatch.setattr(agent, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(worker_module, "FIRST_PAUSE_SECONDS", 0.0)

    def run(worker: Worker, scene: Scene, *given: GivenCommand) -> Broker:
        async def played() -> Broker:
            monkeypatch.setattr(agent, "WorkerHandle", lambda *_: worker)
            monkeypatch.setattr(agent, "ControlReader", lambda *_, **__: Control(*given))
            handler, broker = TrainingHandler(Settings(max_failed_windows=2)), Broker()
            kafka: Any = broker
            await handler.start(kafka)
            try:
                await asyncio.wait_for(scene(handler, broker), 10)
            finally:
                await handler.stop()
            return broker

        return asyncio.run(played())

    return run


def batch(*offsets: int, task: str = "prices") -> PartitionBatch:
    values = ((offset, waiting(offset, task=task).window.encode()) for offset in offsets)
    return PartitionBatch(*PLACE, [raw(value, topic=TOPIC, offset=n) for n, value in values])


@pytest.mark.parametrize("fault", [StopError("no base model"), KeyError("a fault of ours")])
def test_whatever_ends_the_runner_stops_the_role_and_the_worker(
    fault: Exception, play: Play
) -> None:
    async def scene(_: TrainingHandler, broker: Any) -> None:
        await broker.told.wait()

    worker = Worker(fault)
    assert play(worker, scene).failed == [fault]
    assert worker.stopped


def test_a_worker_that_cannot_reach_the_store_yet_is_started_again(
    play: Play,
) -> None:
    worker = Worker(*[WorkerNotReadyError("the store does not answer")] * 9)

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0))
        await worker.heard.wait()

    assert play(worker, scene).failed == []
    assert [type(request) for request in worker.asked] == [Tip, Learn]


def test_a_refused_refresh_is_written_down_once_and_the_next_window_is_learned(
    play: Play,
) -> None:
    due = Committed(entry=None, refresh_due="no encoder of its own")
    worker = Worker(replies={Learn: [due, DONE], Refresh: NO_FIT, GiveUpRefresh: due})

    async def scene(handler: TrainingHandler, _: Any) -> None:
        worker.until = GiveUpRefresh
        await handler.batch(batch(0))
        await worker.heard.wait()
        worker.until = Learn
        worker.heard.clear()
        await handler.batch(batch(1))
        await worker.heard.wait()

    assert play(worker, scene).failed == []
    assert [type(one) for one in worker.asked] == [Tip, Learn, Refresh, GiveUpRefresh, Learn]
    assert worker.asked[3].reason == "no encoder of its own: NotFiniteError: the loss is not finite"


@pytest.mark.parametrize("value", [b"?", b" " * 2_000_000, None, "foreign"])
def test_what_is_no_window_over_labeled_texts_is_a_dead_letter_and_the_next_is_learned(
    value: Any, play: Play
) -> None:
    if value == "foreign":
        window = waiting(0).window
        span = window.span.model_copy(update={"topic": "control"})
        value = window.model_copy(update={"span": span}).encode()
    worker = Worker()

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(PartitionBatch(*PLACE, [raw(value, topic=TOPIC, offset=0)]))
        await handler.batch(batch(1))
        await worker.heard.wait()
        await broker.wrote.wait()

    broker = play(worker, scene)
    assert (broker.failed, broker.letters) == ([], 1)
    assert broker.committed == [{PLACE: 2}]


def test_windows_that_fail_alike_one_after_the_other_stop_the_role_and_are_kept(
    play: Play,
) -> None:
    worker = Worker(replies={Learn: NO_FIT})

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(batch(0, 1, 2, 3))
        await broker.told.wait()

    broker = play(worker, scene)
    assert "2 windows in a row failed with NotFiniteError" in str(broker.failed[0])
    assert broker.letters == 2
    assert all(offsets[PLACE] <= 2 for offsets in broker.committed)


@pytest.mark.parametrize("change", ["assigned", "revoked"])
def test_a_batch_that_waits_while_partitions_move_adds_no_more_of_itself(
    change: str, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "MOST_WAITING", 1)
    worker = Worker(*[WorkerNotReadyError("the store does not answer")] * 10_000)

    async def scene(handler: TrainingHandler, _: Any) -> None:
        waits = asyncio.create_task(handler.batch(batch(0, 1, 2)))
        await asyncio.sleep(0)
        assert len(handler._backlog) == 1
        await getattr(handler, change)(frozenset([PLACE]))
        await waits
        assert len(handler._backlog) == 0
        assert handler._backlog.committable() == {}

    play(worker, scene)


def test_the_tip_is_asked_for_again_after_partitions_moved(
    play: Play,
) -> None:
    worker = Worker()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        for offset in (0, 1):
            worker.heard.clear()
            await handler.assigned(frozenset([PLACE]))
            await handler.batch(batch(offset))
            await worker.heard.wait()

    play(worker, scene)
    assert [type(request) for request in worker.asked] == [Tip, Learn, Tip, Learn]


def test_a_tip_that_another_worker_moved_is_announced_before_it_is_extended(
    play: Play,
) -> None:
    moved = Failed(fate="retry", error="TipMovedError", message="tip is 3", tip_moved=True)
    worker = Worker(replies={Learn: [moved, DONE]})

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(batch(0))
        await broker.wrote.wait()

    play(worker, scene)
    assert [type(request) for request in worker.asked] == [Tip, Learn, Tip, Learn]
    assert worker.asked[1].announced == -1


def test_a_rollback_that_came_first_leaves_the_window_to_be_asked_for_again(
    play: Play,
) -> None:
    came_first = Committed(entry=None, refresh_due=None, again=True)
    worker = Worker(replies={Learn: [came_first, DONE]})

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(batch(0))
        await broker.wrote.wait()

    broker = play(worker, scene)
    learned = [request for request in worker.asked if isinstance(request, Learn)]
    assert len(learned) == 2
    assert broker.committed == [{PLACE: 1}]


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


def test_a_round_in_hand_is_finished_and_committed_when_the_role_is_told_to_stop(
    play: Play,
) -> None:
    worker = Worker()
    worker.go_on.clear()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0, 1))
        await worker.heard.wait()
        asyncio.get_running_loop().call_later(0.2, worker.go_on.set)

    assert play(worker, scene).committed == [{PLACE: 2}]
    assert worker.stopped


def test_a_fit_that_takes_too_long_is_abandoned_and_nothing_of_it_committed(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    worker.go_on.clear()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        monkeypatch.setattr(
            handler, "_settings", handler._settings.model_copy(update={"shutdown_seconds": 0.4})
        )
        await handler.batch(batch(0))
        await worker.heard.wait()

    assert play(worker, scene).committed == []
    assert worker.stopped


def test_no_round_is_begun_after_the_role_was_told_to_stop(play: Play) -> None:
    worker = Worker()
    worker.go_on.clear()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0))
        await worker.heard.wait()
        await handler.batch(batch(1))
        asyncio.get_running_loop().call_later(0.2, worker.go_on.set)

    assert play(worker, scene).committed == [{PLACE: 1}]


def test_a_worker_that_died_while_nothing_was_to_do_is_replaced_at_once(play: Play) -> None:
    worker = Worker()

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0))
        await worker.heard.wait()
        worker.dead = True
        await handler._wake()
        while worker.starts_made < 2:  # noqa: ASYNC110 - within the limit of `play`
            await asyncio.sleep(0)

    assert play(worker, scene).failed == []


def test_its_condition_says_how_many_windows_wait(play: Play) -> None:
    worker = Worker()
    worker.go_on.clear()
    seen: list[Condition] = []

    async def scene(handler: TrainingHandler, _: Any) -> None:
        await handler.batch(batch(0, 1))
        await worker.heard.wait()
        seen.append(handler.condition())
        worker.go_on.set()

    play(worker, scene)
    assert [list(condition.tasks.values()) for condition in seen] == [[{"waiting_windows": 2}]]
    assert seen[0].beat_at > 0


def test_a_window_is_a_dead_letter_before_it_is_given_up(play: Play) -> None:
    """After a crash between the two it comes again; the entry alone would hide it."""
    deleted = Failed(fate="reject", error="SpanDeletedError", message="retention was faster")
    letters: list[int] = []

    class Noting(Worker):
        async def ask(self, request: Any) -> Any:
            if isinstance(request, GiveUp):
                letters.append(brokers[0].letters)
            return await super().ask(request)

    worker, brokers = Noting(replies={Learn: deleted}), list[Any]()

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        brokers.append(broker)
        await handler.batch(batch(0))
        await broker.wrote.wait()

    assert play(worker, scene).committed == [{PLACE: 1}]
    assert letters == [1]


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
