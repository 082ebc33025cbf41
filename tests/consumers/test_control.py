"""Commands are read from the beginning of `control`, each once, whatever stands between them."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers import control
from consumers.control import ControlReader, GivenCommand
from consumers.settings import Settings
from schemas.control import Action, Command

PLACE = ("control", 0)


def a_record(offset: int, value: bytes) -> Any:
    return SimpleNamespace(
        topic="control", partition=0, offset=offset, timestamp=offset, value=value
    )


def a_command(command_id: str, action: Action = Action.CLOSE) -> bytes:
    return Command(
        command_id=command_id,
        action=action,
        task="mood",
        who="tests",
        why="end of stream",
        given_at=datetime.now(UTC),
    ).encode()


class FakeConsumer:
    """Holds the records of one partition and gives them one by one."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self._records = [a_record(offset, value) for offset, value in enumerate(values)]
        self._position = 0

    async def start(self) -> None: ...

    def assignment(self) -> set[tuple[str, int]]:
        return {PLACE}

    async def end_offsets(self, places: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, len(self._records))

    async def position(self, _: Any) -> int:
        return self._position

    async def getmany(self, **_: Any) -> dict[Any, list[Any]]:
        self._position += 1
        return {PLACE: [self._records[self._position - 1]]}


def read(monkeypatch: pytest.MonkeyPatch, *values: bytes) -> list[GivenCommand]:
    monkeypatch.setattr(control, "AIOKafkaConsumer", lambda *_, **__: FakeConsumer(values))
    reader = ControlReader(Settings(), role="tests", obeys=frozenset([Action.CLOSE]))
    return asyncio.run(reader.known())


def test_a_command_that_was_sent_twice_counts_where_it_was_sent_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = read(monkeypatch, a_command("a"), a_command("b"), a_command("a"))

    assert [(item.command.command_id, item.given) for item in found] == [("a", 0), ("b", 1)]


def test_what_is_no_command_and_what_concerns_others_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = read(monkeypatch, b"\xff{", a_command("a", Action.REFRESH), a_command("b"))

    assert [item.command.command_id for item in found] == ["b"]


def test_an_action_that_this_release_does_not_know_is_passed_over_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = json.dumps(json.loads(a_command("a")) | {"action": "dance"}).encode()

    with capture_logs() as logs:
        found = read(monkeypatch, unknown, a_command("b"))

    assert [item.command.command_id for item in found] == ["b"]
    [refused] = [entry for entry in logs if entry["event"] == "command_refused"]
    assert refused["log_level"] == "warning"
    assert "control/0/0: action: Input should be 'close'" in refused["detail"]
