"""An offline task's windows wait for a count or for the clock, and hold nobody else up."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from consumers.training.backlog import Backlog
from consumers.training.held_back import held_back
from model.config import OfflineConfig, TaskConfig
from schemas.window import TrainingWindow
from tests.consumers.training.test_backlog import AT, TOPIC, offsets, waiting

NIGHTLY = TaskConfig(mode="offline", offline=OfflineConfig(windows=3, every_seconds=100.0))


def windows(count: int) -> list[TrainingWindow]:
    return [waiting(offset).window for offset in range(count)]


def test_an_online_task_waits_for_nothing() -> None:
    assert not held_back(windows(1), config=TaskConfig(), now=AT)


def test_windows_wait_until_there_are_enough_of_them() -> None:
    assert held_back(windows(2), config=NIGHTLY, now=AT)
    assert not held_back(windows(3), config=NIGHTLY, now=AT)


def test_windows_wait_until_the_oldest_has_waited_long_enough() -> None:
    assert held_back(windows(1), config=NIGHTLY, now=AT + timedelta(seconds=99))
    assert not held_back(windows(1), config=NIGHTLY, now=AT + timedelta(seconds=100))


def test_what_nothing_would_ever_learn_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing would be learned"):
        OfflineConfig(windows=None, every_seconds=None)


def test_a_task_that_is_held_back_lets_the_next_one_by_and_keeps_its_offset() -> None:
    backlog = Backlog()
    for offset, task in enumerate(["night", "day", "night", "day"]):
        backlog.add(waiting(offset, task=task))

    def waits(task: str, held: Sequence[TrainingWindow]) -> bool:
        return task == "night" and len(held) < 3

    items = backlog.next_of_one_task(lambda _: 5, waits)
    backlog.done(items)

    assert offsets(items) == [1, 3]
    assert backlog.next_of_one_task(lambda _: 5, waits) == []
    assert backlog.committable() == {(TOPIC, 0): 0}
    backlog.add(waiting(4, task="night"))
    assert offsets(backlog.next_of_one_task(lambda _: 5, waits)) == [0, 2, 4]
