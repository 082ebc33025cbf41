"""The training role with its real worker process, on windows that the tests write themselves."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.processes import ProcessGroup
from consumers.refresh_command import ask_for_refresh
from schemas.base import Span
from schemas.evaluation import EvaluationEvent, Outcome
from schemas.labeled_text import LabeledText
from schemas.topics import LABELED_TEXTS, TRAINING_WINDOWS
from schemas.window import CloseReason, TrainingWindow, digest_ids, window_id
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded, kill_now
from tests.integration.texts import labeled
from tests.waiting import ends

WINDOW = 40
TOGETHER, DELETED, CHANGED = "together", "deleted", "changed"
REFRESH = {"first_after_records": 100, "every_records": 10_000, "min_records_per_label": 5}


def window_of(here: Installation, texts: list[LabeledText], offsets: list[int]) -> TrainingWindow:
    """The window over records that were written one after the other to partition 0."""
    now = datetime.now(UTC)
    task = texts[0].task
    span = Span(
        topic=here.settings.topic(LABELED_TEXTS.name),
        partition=0,
        start=offsets[0],
        end=offsets[-1] + 1,
    )
    return TrainingWindow(
        window_id=window_id(task, span),
        task=task,
        span=span,
        num_records=len(texts),
        digest=digest_ids(text.id or "" for text in texts),
        label_counts={},
        opened_at=now,
        closed_at=now,
        last_appended_at=now,
        reason=CloseReason.COUNT,
    )


def windows_on(
    here: Installation, task: str, count: int, *, start: int = 0
) -> list[TrainingWindow]:
    """Windows of a task whose records are written now."""
    made = []
    for number in range(start, start + count):
        texts = labeled(WINDOW, start=number * WINDOW, task=task)
        made.append(window_of(here, texts, here.write(encoded(texts))))
    return made


def hand_over(here: Installation, windows: list[TrainingWindow]) -> None:
    here.write((window.encode() for window in windows), topic=TRAINING_WINDOWS)


@pytest.fixture(scope="module")
def morning(install: Install) -> Installation:
    """A role that starts on a topic where good and bad windows wait."""
    here = install(records=WINDOW, defaults={"refresh": REFRESH}, max_attempts=2)
    deleted = windows_on(here, DELETED, 2)
    together = windows_on(here, TOGETHER, 3)
    changed = windows_on(here, CHANGED, 3)
    changed[1] = changed[1].model_copy(update={"digest": "0" * 64})
    deleted += windows_on(here, DELETED, 1, start=2)
    here.delete_below(deleted[1].span.start)
    hand_over(here, [*together, *deleted, *changed])
    here.write([b"this is no window", b'{"task": "prices"}'], topic=TRAINING_WINDOWS)
    with here.roles("train"):
        here.until(lambda: all(here.labels_learned(t) == WINDOW * 3 for t in (TOGETHER, DELETED)))
        here.until(lambda: here.labels_learned(CHANGED) == WINDOW * 3)
        here.until(lambda: any(e.kind == "refresh" for e in here.evaluations(TOGETHER)))
        here.until(lambda: len(here.dead_windows()) == 4)
        here.until(lambda: here.committed("train", TRAINING_WINDOWS) == 11)
    here.read_on()
    return here


def increments(here: Installation, task: str) -> list[EvaluationEvent]:
    return [event for event in here.evaluations(task) if event.kind == "increment"]


def test_waiting_windows_of_one_task_are_taken_together(morning: Installation) -> None:
    [event] = increments(morning, TOGETHER)
    assert len(event.windows) == len(event.spans) == 3
    assert event.counts.learned + event.counts.held_out == 3 * WINDOW


def test_a_window_that_retention_deleted_fails_alone_and_the_rest_goes_on(
    morning: Installation,
) -> None:
    events = increments(morning, DELETED)
    failed = [event for event in events if event.outcome is Outcome.FAILED]
    assert [event.counts.skipped for event in failed] == [WINDOW]
    assert "retention has deleted" in failed[0].reason
    assert sum(e.counts.learned + e.counts.held_out for e in events) == 2 * WINDOW
    assert sorted(name for e in events for name in e.windows) == sorted(
        TrainingWindow.decode(r.value).window_id
        for r in morning.records[TRAINING_WINDOWS.name]
        if b'"deleted"' in r.value
    )


def test_a_window_whose_digest_does_not_match_fails_alone(morning: Installation) -> None:
    events = increments(morning, CHANGED)
    failed = [event for event in events if event.outcome is Outcome.FAILED]
    assert [event.counts.skipped for event in failed] == [WINDOW]
    assert "with other ids" in failed[0].reason
    assert sum(e.counts.learned + e.counts.held_out for e in events) == 2 * WINDOW


def test_a_failed_window_is_a_dead_letter_too_and_a_record_that_is_none_is_one(
    morning: Installation,
) -> None:
    letters = morning.dead_windows()
    assert sorted(letter.reason for letter in letters) == [
        "invalid_window", "invalid_window", "window_failed", "window_failed",
    ]  # fmt: skip
    records = {r.offset: r for r in morning.records[TRAINING_WINDOWS.name]}
    for letter in letters:
        assert letter.topic == morning.settings.topic(TRAINING_WINDOWS.name)
        assert letter.value == records[letter.offset].value
        assert letter.key == records[letter.offset].key
    details = " ".join(letter.detail for letter in letters if letter.reason == "window_failed")
    assert "SpanDeletedError" in details
    assert "SpanMismatchError" in details


def test_a_refresh_happens_when_it_is_due_and_is_announced(morning: Installation) -> None:
    [refresh] = [event for event in morning.evaluations(TOGETHER) if event.kind == "refresh"]
    assert refresh.sequence > increments(morning, TOGETHER)[0].sequence
    assert not refresh.windows
    assert not refresh.spans
    file = Path(
        morning.settings.store, "tasks", TOGETHER, "lineage", f"{refresh.sequence:08d}.json"
    )
    entry = json.loads(file.read_text())
    assert entry["refresh_reads"]
    promoted = refresh.outcome is Outcome.PROMOTED
    announced = [v for v in morning.versions(TOGETHER) if v.version == refresh.sequence]
    assert bool(announced) == promoted
    if promoted:
        encoders = {v.encoder.sha256 for v in morning.versions(TOGETHER)}
        assert len(encoders) == 2


@pytest.fixture
def at_work(install: Install) -> Iterator[tuple[Installation, ProcessGroup]]:
    """A role that has learned a first window."""
    here = install(records=WINDOW)
    hand_over(here, windows_on(here, TOGETHER, 1))
    with here.roles("train") as group:
        here.until(lambda: here.labels_learned(TOGETHER) == WINDOW)
        yield here, group


def worker_of(here: Installation) -> int:
    return int(here.logged("train", "worker_started")[-1]["pid"])


def test_a_worker_that_is_killed_is_started_again_and_the_window_is_learned(
    at_work: tuple[Installation, ProcessGroup],
) -> None:
    here, group = at_work
    first = worker_of(here)
    kill_now(first)
    hand_over(here, windows_on(here, TOGETHER, 2, start=1))
    here.until(lambda: here.labels_learned(TOGETHER) == 3 * WINDOW)
    assert worker_of(here) != first
    assert not here.dead_windows()
    group.roles["train"].stop()
    assert ends(worker_of(here))


def test_the_worker_ends_when_the_role_is_killed(
    at_work: tuple[Installation, ProcessGroup],
) -> None:
    here, group = at_work
    worker, role = worker_of(here), group.roles["train"].pid
    assert role is not None
    assert role != worker
    kill_now(role)
    assert ends(role)
    assert ends(worker)


def test_a_command_given_while_the_role_was_down_refreshes_once_and_not_again(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    hand_over(here, windows_on(here, TOGETHER, 2))
    with here.roles("train"):
        here.until(lambda: here.labels_learned(TOGETHER) == 2 * WINDOW)
    ask_for_refresh(here.settings, TOGETHER, who="ops", why="a new house style")
    with here.roles("train"):
        here.until(lambda: len(refreshes(here, TOGETHER)) == 1)
    with here.roles("train"):
        hand_over(here, windows_on(here, TOGETHER, 1, start=2))
        here.until(lambda: here.labels_learned(TOGETHER) == 3 * WINDOW)
    here.read_on()
    [event] = refreshes(here, TOGETHER)
    assert event.reason.startswith("commanded by ops: a new house style: ")


def refreshes(here: Installation, task: str) -> list[EvaluationEvent]:
    return [event for event in here.evaluations(task) if event.kind == "refresh"]
