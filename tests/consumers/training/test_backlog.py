"""What waits to be learned, and how far the topic may be committed while it does."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.training.backlog import Backlog, Waiting
from schemas.base import Span
from schemas.window import CloseReason, TrainingWindow, digest_ids, window_id

TOPIC = "training-windows"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def waiting(offset: int, *, task: str = "prices", partition: int = 0) -> Waiting:
    """A window that stands at an offset of `training-windows`."""
    span = Span(topic="labeled-texts", partition=0, start=offset, end=offset + 1)
    window = TrainingWindow(
        window_id=window_id(task, span),
        task=task,
        span=span,
        num_records=1,
        digest=digest_ids(["a"]),
        label_counts={"up": 1},
        opened_at=AT,
        closed_at=AT,
        last_appended_at=AT,
        reason=CloseReason.COUNT,
    )
    return Waiting(window, record_at(offset, partition=partition))


def record_at(offset: int, *, partition: int = 0) -> Any:
    return SimpleNamespace(topic=TOPIC, partition=partition, offset=offset)


def offsets(items: list[Waiting]) -> list[int]:
    return [item.record.offset for item in items]


def test_the_oldest_window_brings_those_of_its_task_up_to_the_limit() -> None:
    backlog = Backlog()
    for offset, task in enumerate(["a", "b", "a", "a", "b", "a"]):
        backlog.add(waiting(offset, task=task))
    assert offsets(backlog.next_of_one_task(lambda _: 3)) == [0, 2, 3]
    assert len(backlog) == 6
    backlog.done(backlog.next_of_one_task(lambda _: 3))
    assert offsets(backlog.next_of_one_task(lambda _: 3)) == [1, 4]


def test_an_empty_backlog_has_nothing_next() -> None:
    assert Backlog().next_of_one_task(lambda _: 3) == []
    assert Backlog().committable() == {}


def test_a_record_that_brings_no_window_can_be_committed() -> None:
    backlog = Backlog()
    backlog.passed(record_at(4))
    assert backlog.committable() == {(TOPIC, 0): 5}


def test_a_window_that_waits_holds_back_what_came_after_it_in_its_partition_only() -> None:
    backlog = Backlog()
    items = [waiting(0, task="a"), waiting(1, task="b"), waiting(7, partition=1)]
    for item in items:
        backlog.add(item)
    backlog.done(items[1:])
    assert backlog.committable() == {(TOPIC, 0): 0, (TOPIC, 1): 8}


def test_what_was_taken_away_is_neither_learned_nor_committed() -> None:
    backlog = Backlog()
    items = [waiting(0), waiting(3, partition=1)]
    for item in items:
        backlog.add(item)
    backlog.drop([(TOPIC, 0)])
    backlog.done(items[:1])
    assert offsets(backlog.next_of_one_task(lambda _: 3)) == [3]
    assert backlog.committable() == {(TOPIC, 1): 3}


def test_a_window_that_is_read_again_waits_once() -> None:
    backlog = Backlog()
    backlog.add(waiting(5))
    backlog.add(waiting(5))
    assert len(backlog) == 1


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "pass", "learn", "drop"]), st.integers(0, 2), st.integers(1, 4)
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_what_may_be_committed_never_passes_a_window_that_is_not_done(steps: list[Step]) -> None:
    backlog, ends = Backlog(), [0, 0, 0]
    undone: dict[tuple[int, int], str] = {}
    for what, partition, number in steps:
        if what == "drop":
            backlog.drop([(TOPIC, partition)])
            undone = {place: task for place, task in undone.items() if place[0] != partition}
        elif what == "learn":
            items = backlog.next_of_one_task({f"task-{n}": number for n in range(1, 5)}.__getitem__)
            assert len({item.window.task for item in items}) <= 1
            backlog.done(items)
            for item in items:
                del undone[item.record.partition, item.record.offset]
        else:
            offset, ends[partition] = ends[partition], ends[partition] + 1
            if what == "add":
                task = f"task-{number}"
                backlog.add(waiting(offset, task=task, partition=partition))
                undone[partition, offset] = task
            else:
                backlog.passed(record_at(offset, partition=partition))
        assert len(backlog) == len(undone)
        for (_, place), end in backlog.committable().items():
            first = min((o for p, o in undone if p == place), default=ends[place])
            assert end == first
