"""The train role prunes beside its work, now and then."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from consumers.settings import Settings
from consumers.telemetry import get_log
from consumers.training.housekeeping import Housekeeping
from model.errors import StoreUnavailableError
from model.prune import Pruned


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the monotonic clock, in minutes."""

    def set_to(minutes: float) -> None:
        monkeypatch.setattr("time.monotonic", lambda: minutes * 60)

    set_to(0)
    return set_to


class Prune:
    """Counts prunes; each waits for `go` and may fail."""

    def __init__(self, *faults: Exception) -> None:
        self.calls, self.faults = 0, list(faults)

    def __call__(self, _: Settings, stopped: Callable[[], bool]) -> Pruned:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        return Pruned({}, deleted=("a",))


async def rounds(made: Housekeeping) -> None:
    """A round, and time for what it began."""
    made.after_round()
    if made._running is not None:
        await asyncio.wait({made._running})


def test_it_prunes_after_a_round_and_not_more_often_than_asked(
    at: Callable[[float], None],
) -> None:
    prune = Prune()

    async def scene() -> list[int]:
        made = Housekeeping(Settings(prune_minutes=60), get_log(), pruned=prune)
        seen = []
        for minutes in (1, 6, 30, 65, 67):
            at(minutes)
            await rounds(made)
            seen.append(prune.calls)
        await made.stop()
        return seen

    assert asyncio.run(scene()) == [0, 1, 1, 1, 2]


def test_zero_minutes_leave_it_to_a_person(at: Callable[[float], None]) -> None:
    prune = Prune()

    async def scene() -> None:
        made = Housekeeping(Settings(prune_minutes=0), get_log(), pruned=prune)
        at(10_000)
        await rounds(made)
        await made.stop()

    asyncio.run(scene())
    assert prune.calls == 0


def test_a_fault_is_told_and_the_next_prune_comes_in_its_time(
    at: Callable[[float], None],
) -> None:
    prune = Prune(StoreUnavailableError("the disk is away"))

    async def scene() -> None:
        made = Housekeeping(Settings(prune_minutes=1), get_log(), pruned=prune)
        for minutes in (2, 4):
            at(minutes)
            await rounds(made)
        await made.stop()

    with capture_logs() as logs:
        asyncio.run(scene())
    assert [entry["event"] for entry in logs] == ["prune_failed", "store_pruned"]
