"""The training role's handler, with a worker and a broker that are not there."""

import asyncio
from typing import Any

import pytest

from consumers.batches import PartitionBatch
from consumers.health.condition import Condition
from consumers.training import schedule
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
from tests.consumers.training.scene import (
    DONE,
    NO_FIT,
    PLACE,
    Play,
    Worker,
    batch,
)
from tests.consumers.training.test_backlog import TOPIC, waiting


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
