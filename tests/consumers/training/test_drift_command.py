"""A drift closes the task's open windows early, by a command that its entry always gives alike."""

import pytest

from consumers.announcement import announcement
from consumers.training.drift_command import close_on_drift
from model.lineage_entry import LineageEntry
from schemas.control import Action, Command
from schemas.evaluation import Drift
from schemas.topics import CONTROL, EVALUATION_EVENTS
from tests.model.loop import TASK, Loop, stream
from tests.model.tiny import write_tiny_encoder

DRIFT = Drift(since_record=420, answers=80, error_before=0.1, error_after=0.35)


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> LineageEntry:
    """A round without a drift."""
    folder = tmp_path_factory.mktemp("drift")
    return Loop(folder, write_tiny_encoder(folder / "tiny")).learn(stream(60))


def drifted(entry: LineageEntry) -> LineageEntry:
    evaluation = entry.evaluation.model_copy(update={"drift": DRIFT})
    return entry.model_copy(update={"evaluation": evaluation})


def test_an_entry_with_a_drift_closes_the_windows_of_its_task(entry: LineageEntry) -> None:
    command = close_on_drift(drifted(entry))

    assert command is not None
    assert (command.action, command.task, command.who) == (Action.CLOSE, TASK, "freshet-train")
    assert command.why == "drift: 35.0% of 80 answers wrong, 10.0% before record 420"
    assert command.given_at == entry.created_at


def test_the_command_is_published_with_its_entry_and_is_the_same_each_time(
    entry: LineageEntry,
) -> None:
    first, again = (announcement(drifted(entry), source="/tests") for _ in range(2))

    assert first == again
    assert [record.topic for record in first][-2:] == [EVALUATION_EVENTS, CONTROL]
    value = first[-1].value
    assert value is not None
    assert Command.decode(value) == close_on_drift(drifted(entry))


def test_an_entry_without_a_drift_commands_nothing(entry: LineageEntry) -> None:
    assert close_on_drift(entry) is None
    assert CONTROL not in [record.topic for record in announcement(entry, source="/tests")]
