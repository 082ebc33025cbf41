"""The handle on the worker: it starts, is asked, ends, and is told of."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from consumers.settings import Settings
from consumers.training.messages import (
    Failed,
    Ready,
    Tip,
)
from consumers.training.worker import WorkerDiedError, WorkerHandle, WorkerNotReadyError
from model.errors import FreshetError, StopError

SPAWN = asyncio.create_subprocess_exec


async def nothing() -> None: ...


def handle_of(died: Callable[[], Awaitable[None]] | None = None) -> WorkerHandle:
    return WorkerHandle(Settings(), lambda _: None, died or nothing)


@pytest.mark.parametrize(
    ("fate", "error"), [("retry", WorkerNotReadyError), ("stop", StopError), ("reject", StopError)]
)
def test_a_worker_that_is_not_ready_is_ended_and_its_reason_is_handed_on(
    fate: Any, error: type[FreshetError], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Failed(fate=fate, error="StoreUnavailableError", message="no answer")
    answers_with(failed, monkeypatch)

    async def run() -> int | None:
        handle = handle_of()
        with pytest.raises(error, match="no answer"):
            await handle.start()
        return handle.pid

    assert asyncio.run(run()) is None


def test_a_worker_that_is_ready_stays_up_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers_with(Ready(), monkeypatch)

    async def run() -> tuple[int | None, int | None]:
        handle = handle_of()
        await handle.start()
        while_up = handle.pid
        await handle.stop()
        return while_up, handle.pid

    while_up, afterwards = asyncio.run(run())
    assert while_up is not None
    assert afterwards is None


def test_a_worker_that_is_killed_before_it_is_ready_is_no_fault_of_what_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs("read -r start; kill -9 $$", monkeypatch)

    async def run() -> None:
        handle = WorkerHandle(Settings(max_attempts=3), lambda _: None, nothing)
        for _ in range(2):
            with pytest.raises(WorkerNotReadyError, match="ended with status -9"):
                await handle.start()
        with pytest.raises(StopError, match=r"3 workers in a row ended before .* status -9"):
            await handle.start()

    asyncio.run(run())


def test_a_store_that_is_none_stops_the_role_with_its_reason() -> None:
    """Asked of a real worker, which has nothing to warm up where it cannot open its store."""
    handle = WorkerHandle(Settings(store="ftp://x"), lambda _: None, nothing)
    with pytest.raises(StopError, match=r"^store is 'ftp://x': .*Unable to recognise URL"):
        asyncio.run(handle.start())
    assert not handle.up


def test_a_worker_that_was_ready_clears_the_count_of_those_that_were_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        handle = WorkerHandle(Settings(max_attempts=2), lambda _: None, nothing)
        for _ in range(3):
            runs("read -r start; exit 3", monkeypatch)
            with pytest.raises(WorkerNotReadyError, match="ended with status 3"):
                await handle.start()
            answers_with(Ready(), monkeypatch)
            await handle.start()
            await handle.stop()

    asyncio.run(run())


def test_a_worker_that_is_killed_at_work_is_said_to_have_been_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = Ready().model_dump_json()
    runs(f"read -r start; echo '{ready}'; read -r request; kill -9 $$", monkeypatch)

    async def run() -> None:
        handle = WorkerHandle(Settings(), lambda _: None, nothing)
        with pytest.raises(WorkerDiedError, match="ended with status -9"):
            await handle.ask(Tip(task="prices"))

    asyncio.run(run())


def answers_with(reply: Ready | Failed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a process in the worker's place that says this and waits for the end of its stdin."""
    runs(f"read -r start; echo '{reply.model_dump_json()}'; cat > /dev/null", monkeypatch)


def runs(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell program in the worker's place."""

    async def in_its_place(*_: Any, **options: Any) -> Any:
        return await SPAWN("/bin/sh", "-c", program, **options)

    monkeypatch.setattr("asyncio.create_subprocess_exec", in_its_place)


def test_a_worker_that_ends_by_itself_is_told_of_and_one_that_is_stopped_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers_with(Ready(), monkeypatch)

    async def run() -> list[str]:
        told, died = [], asyncio.Event()

        async def tell() -> None:
            told.append(handle.condition().not_ready)
            died.set()

        handle = handle_of(tell)
        await handle.start()
        assert (handle.up, handle.condition().not_ready) == (True, "")
        assert handle.pid is not None
        os.kill(handle.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            await died.wait()
        await handle.start()
        await handle.stop()
        return told

    assert asyncio.run(run()) == ["the worker process is not ready"]


def test_the_condition_names_what_the_worker_is_asked_for_and_its_beat_moves_on() -> None:
    handle = handle_of()
    handle._begin("refresh of news")
    first = handle.condition()
    assert first.working_on == "refresh of news"
    assert first.not_ready
    handle._begin("refresh of news")
    assert handle.condition().beat_at >= first.beat_at
