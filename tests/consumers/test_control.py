"""Commands as the roles read them."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.control import ControlReader
from consumers.settings import Settings
from schemas.control import Action, Command
from tests.consumers.raw import raw
from tests.consumers.training.test_pauses import paused


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads values as the train role would."""
    monkeypatch.setattr("consumers.control.AIOKafkaConsumer", lambda *_, **__: None)

    def decoded(*values: bytes) -> Sequence[Command | None]:
        reader = ControlReader(Settings(), role="train", obeys=frozenset(Action))
        return [reader._decoded(raw(value, topic="control")) for value in values]

    return decoded


def test_an_action_that_this_release_does_not_know_is_passed_over_with_a_warning(
    read: Any,
) -> None:
    known = paused(0).command
    unknown = json.dumps(json.loads(known.encode()) | {"action": "dance"}).encode()

    with capture_logs() as logs:
        assert read(unknown, known.encode()) == [None, known]

    refused = [entry for entry in logs if entry["event"] == "command_refused"]
    assert len(refused) == 1
    assert refused[0]["log_level"] == "warning"
    assert "action: Input should be 'close'" in refused[0]["detail"]


def test_what_is_no_command_at_all_is_passed_over_too(read: Any) -> None:
    assert read(b"", b"{", b"[]") == [None, None, None]
