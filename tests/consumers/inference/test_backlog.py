"""Which version is loaded next, decided without a clock or a broker."""

from datetime import UTC, datetime

import pytest

from consumers.inference.backlog import LONGEST_PAUSE_SECONDS, REFUSED_PAUSE_SECONDS, Backlog
from model.artifacts import ArtifactStore
from schemas.model_version import ModelVersion
from tests.model.tiny_onnx import store_version

AT = datetime(2026, 1, 1, tzinfo=UTC)
STORE = ArtifactStore("memory:///")


def _version(number: int, task: str = "colors") -> ModelVersion:
    return store_version(STORE, number, task=task)


def _due(backlog: Backlog, now: float = 0.0) -> tuple[str, int] | None:
    pending = backlog.due(now=now)
    return (pending.version.task, pending.version.version) if pending else None


def _serve(backlog: Backlog, version: ModelVersion) -> None:
    backlog.announce(version, announced_at=AT, now=0)
    pending = backlog.due(now=0)
    assert pending is not None
    backlog.serve(pending)


def test_only_the_newest_waiting_version_of_a_task_is_loaded() -> None:
    backlog = Backlog()
    for number in (1, 3, 2):
        backlog.announce(_version(number), announced_at=AT, now=0)
    assert _due(backlog) == ("colors", 3)


def test_a_version_at_or_below_the_served_one_is_ignored() -> None:
    backlog = Backlog()
    _serve(backlog, _version(5))
    assert not backlog.announce(_version(5), announced_at=AT, now=0)
    assert not backlog.announce(_version(4), announced_at=AT, now=0)
    assert backlog.announce(_version(6), announced_at=AT, now=0)


def test_a_refused_version_announced_again_is_tried_again() -> None:
    backlog = Backlog()
    backlog.announce(_version(1), announced_at=AT, now=0)
    pending = backlog.due(now=0)
    assert pending is not None
    backlog.refuse(pending, now=0)
    assert backlog.due(now=0) is None
    assert backlog.announce(_version(1), announced_at=AT, now=0)
    assert _due(backlog) == ("colors", 1)


def test_a_refused_version_is_looked_at_again_and_holds_back_no_other() -> None:
    backlog = Backlog()
    _serve(backlog, _version(1))
    backlog.announce(_version(3), announced_at=AT, now=0)
    pending = backlog.due(now=0)
    assert pending is not None
    assert not pending.refused
    backlog.refuse(pending, now=0)
    again = backlog.due(now=REFUSED_PAUSE_SECONDS)
    assert again is not None
    assert (again.version.version, again.refused) == (3, True)
    # What was announced before it and not yet served is better than nothing.
    assert backlog.announce(_version(2), announced_at=AT, now=1)
    assert _due(backlog, 1) == ("colors", 2)


def test_a_removed_task_may_begin_anew_at_any_number() -> None:
    backlog = Backlog()
    _serve(backlog, _version(5))
    backlog.remove("colors")
    assert backlog.announce(_version(0), announced_at=AT, now=0)


def test_tasks_that_are_not_followed_are_ignored() -> None:
    backlog = Backlog(["colors"])
    assert not backlog.announce(_version(1, "shapes"), announced_at=AT, now=0)
    assert backlog.announce(_version(1), announced_at=AT, now=0)


def test_a_postponed_version_waits_longer_each_time_and_lets_others_pass() -> None:
    backlog = Backlog()
    backlog.announce(_version(1), announced_at=AT, now=0)
    now, pauses = 0.0, []
    for _ in range(8):
        pending = backlog.due(now=now)
        assert pending is not None
        backlog.postpone(pending, now=now)
        pauses.append(backlog.seconds_until_due(now=now))
        now += pauses[-1] or 0
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    pending = backlog.due(now=now)
    assert pending is not None
    backlog.postpone(pending, now=now)
    backlog.announce(_version(1, "shapes"), announced_at=AT, now=now)
    assert _due(backlog, now) == ("shapes", 1)


def test_a_newer_version_replaces_a_postponed_one_at_once() -> None:
    backlog = Backlog()
    backlog.announce(_version(1), announced_at=AT, now=0)
    pending = backlog.due(now=0)
    assert pending is not None
    backlog.postpone(pending, now=0)
    backlog.announce(_version(2), announced_at=AT, now=0.1)
    assert _due(backlog, 0.1) == ("colors", 2)


def test_what_a_refused_rollback_takes_back_is_not_loaded_in_its_place() -> None:
    backlog = Backlog()
    rollback = _version(5).model_copy(update={"kind": "rollback"})
    backlog.announce(rollback, announced_at=AT, now=0)
    pending = backlog.due(now=0)
    assert pending is not None
    backlog.refuse(pending, now=0)

    assert not backlog.announce(_version(4), announced_at=AT, now=1)
    assert backlog.announce(rollback, announced_at=AT, now=1)
    assert _due(backlog, now=1) == ("colors", 5)
