"""What the worker answers: ready or why not, and which rounds it makes."""

import io
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.settings import Settings
from consumers.training.messages import (
    REPLY,
    Beat,
    Committed,
    GiveUp,
    GiveUpRefresh,
    Refresh,
    Tip,
)
from consumers.training.worker_process import Worker
from model.errors import (
    ArtifactRefusedError,
    ConfigError,
    FreshetError,
    StoreUnavailableError,
)
from schemas.evaluation import Outcome
from tests.model.loop import a_window, stream


class Learner:
    """Knows one task, of which a refresh is due or not."""

    def __init__(self, *, due: str | None = None, fault: FreshetError | None = None) -> None:
        self._due, self._fault = due, fault
        self.did: list[str] = []
        self.owes = self.erased = False
        self.refreshed_on: datetime | None = None
        self.labels: tuple[str, ...] = ("down", "up")

    def warm_up(self, _: Any) -> None:
        if self._fault is not None:
            raise self._fault

    def state(self, *_: Any) -> Any:
        tip = SimpleNamespace(sequence=4, refreshed_on=self.refreshed_on)
        return SimpleNamespace(tip=tip, labels=self.labels)

    def due(self, *_: Any) -> str | None:
        return self._due

    def owes_refresh(self, *_: Any) -> bool:
        return self.owes

    def erased_since(self, *_: Any) -> bool:
        return self.erased

    def refresh(self, *_: Any, erases: bool) -> None:
        self.owes = self.owes and not erases
        self.did.append("erasing refresh" if erases else "refresh")

    def fail_refresh(self, _: str, reason: str, __: Any) -> None:
        self._due = None
        self.did.append(reason)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Worker, io.StringIO]:
    out = io.StringIO()
    return Worker(Settings(store=str(tmp_path / "store"), cache=tmp_path / "cache"), out), out


def with_learner(worker: Worker, learner: Learner) -> Worker:
    worker._learner = learner  # type: ignore[assignment]
    return worker


def said(out: io.StringIO) -> Any:
    return REPLY.validate_json(out.getvalue().splitlines()[-1])


@pytest.mark.parametrize(
    ("fault", "fate"),
    [(StoreUnavailableError("no answer"), "retry"), (ConfigError("no base model"), "stop")],
)
def test_a_worker_that_cannot_warm_up_says_why_and_does_not_die(
    fault: FreshetError, fate: str, made: tuple[Worker, io.StringIO]
) -> None:
    worker, out = made
    assert not with_learner(worker, Learner(fault=fault)).warm_up()
    reply = said(out)
    assert (reply.fate, reply.error, reply.message) == (fate, type(fault).__name__, str(fault))


def test_a_refresh_that_another_worker_did_meanwhile_is_not_done_again(
    made: tuple[Worker, io.StringIO],
) -> None:
    (worker, out), learner = made, Learner(due=None)
    asked = Refresh(task="prices", announced=4, why="it was due")
    with_learner(worker, learner).answer(asked.model_dump_json())
    assert said(out) == Committed(entry=None, refresh_due=None)
    assert learner.did == []
    learner._due = "it is due"
    worker.answer(asked.model_dump_json())
    assert learner.did == ["refresh"]


AT = datetime(2026, 1, 2, tzinfo=UTC)

COMMANDED = Refresh(task="prices", announced=4, why="commanded by ops: news", commanded_at=AT)


@pytest.mark.parametrize(
    ("refreshed_on", "done"),
    [
        (None, ["refresh"]),
        (AT - timedelta(seconds=1), ["refresh"]),
        (AT, []),
        (AT + timedelta(days=1), []),
    ],
)
def test_a_refresh_by_command_is_done_though_not_due_unless_one_ended_since(
    refreshed_on: datetime | None, done: list[str], made: tuple[Worker, io.StringIO]
) -> None:
    (worker, out), learner = made, Learner(due=None)
    learner.refreshed_on = refreshed_on
    with_learner(worker, learner).answer(COMMANDED.model_dump_json())
    assert learner.did == done
    assert not said(out).too_early


def test_an_erasing_refresh_is_owed_until_one_was_done_whatever_ended_since(
    made: tuple[Worker, io.StringIO],
) -> None:
    (worker, _), learner = made, Learner(due=None)
    learner.refreshed_on, learner.owes = AT + timedelta(days=1), True
    erasing = COMMANDED.model_copy(update={"erases": True})
    with_learner(worker, learner).answer(erasing.model_dump_json())
    worker.answer(erasing.model_dump_json())
    assert learner.did == ["erasing refresh"]


def test_a_refresh_by_command_waits_for_two_labels(made: tuple[Worker, io.StringIO]) -> None:
    (worker, out), learner = made, Learner(due=None)
    learner.labels = ("down",)
    with_learner(worker, learner).answer(COMMANDED.model_dump_json())
    assert said(out) == Committed(entry=None, refresh_due=None, too_early=True)
    assert learner.did == []


def test_a_failed_refresh_is_written_down(made: tuple[Worker, io.StringIO]) -> None:
    (worker, out), learner = made, Learner(due="it is due")
    asked = GiveUpRefresh(task="prices", announced=4, reason="it diverged")
    with_learner(worker, learner).answer(asked.model_dump_json())
    assert learner.did == ["it diverged"]
    assert said(out).refresh_due is None


def test_a_lineage_is_not_extended_behind_an_entry_that_was_not_announced(
    made: tuple[Worker, io.StringIO],
) -> None:
    (worker, out), learner = made, Learner(due="it is due")
    asked = Refresh(task="prices", announced=3, why="it was due")
    with_learner(worker, learner).answer(asked.model_dump_json())
    assert (said(out).fate, said(out).tip_moved, learner.did) == ("retry", True, [])


def test_a_beat_is_a_word_of_the_worker_that_any_thread_may_say(
    made: tuple[Worker, io.StringIO],
) -> None:
    worker, out = made
    threads = [threading.Thread(target=worker.say, args=(Beat(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = out.getvalue().splitlines()
    assert [REPLY.validate_json(line) for line in lines] == [Beat()] * 8


def test_an_erasing_refresh_that_was_done_is_not_done_again_after_a_rollback(
    made: tuple[Worker, io.StringIO],
) -> None:
    (worker, out), learner = made, Learner()
    learner.owes, learner.erased, learner.refreshed_on = True, True, AT
    asked = COMMANDED.model_copy(update={"erases": True})

    with_learner(worker, learner).answer(asked.model_dump_json())

    assert said(out) == Committed(entry=None, refresh_due=None)
    assert learner.did == []


def test_what_was_given_up_is_not_written_down_twice(made: tuple[Worker, io.StringIO]) -> None:
    (worker, out), learner = made, Learner()
    window = a_window(stream(3)).window
    tip = SimpleNamespace(sequence=4, outcome=Outcome.FAILED, windows=(window.window_id,))
    learner.state = lambda *_: SimpleNamespace(tip=tip)  # type: ignore[method-assign]
    asked = GiveUp(task="prices", announced=4, windows=(window,), reason="it cannot be read")

    with_learner(worker, learner).answer(asked.model_dump_json())

    assert said(out) == Committed(entry=None, refresh_due=None)


@pytest.mark.parametrize("request_", [COMMANDED, Tip(task="prices")])
def test_a_lineage_that_cannot_be_read_holds_its_task_and_blames_no_window(
    request_: Refresh | Tip, made: tuple[Worker, io.StringIO]
) -> None:
    def refuses(*_: Any) -> Any:
        raise ArtifactRefusedError("its statistics are cut short")

    (worker, out), learner = made, Learner()
    learner.state = learner.unannounced = refuses  # type: ignore[method-assign, attr-defined]

    with_learner(worker, learner).answer(request_.model_dump_json())

    assert said(out).fate == "hold"
    assert said(out).message.endswith("cannot be read: its statistics are cut short")
