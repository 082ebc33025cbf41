"""Which tasks are paused, by the commands on `control`."""

from consumers.control import GivenCommand
from consumers.training.pauses import Pauses
from schemas.control import Action, Command
from tests.consumers.training.test_refreshes import AT, asked


def given(action: Action, at: int, task: str) -> GivenCommand:
    command = Command(
        command_id=f"{action}-{at}",
        action=action,
        task=task,
        who="ops",
        why="the labels are in doubt",
        given_at=AT,
    )
    return GivenCommand(command, at)


def paused(at: int, *, task: str = "prices") -> GivenCommand:
    """A command to pause, appended so many milliseconds after `AT`."""
    return given(Action.PAUSE, at, task)


def resumed(at: int, *, task: str = "prices") -> GivenCommand:
    """A command to resume."""
    return given(Action.RESUME, at, task)


def test_the_last_command_on_a_task_counts() -> None:
    pauses = Pauses()
    for command in (paused(1), resumed(2), paused(3), paused(4, task="moods"), resumed(5)):
        assert pauses.commanded(command)

    assert "prices" not in pauses
    assert "moods" in pauses
    assert pauses.by_task()["moods"].command.why == "the labels are in doubt"


def test_the_same_commands_again_after_a_restart_say_the_same() -> None:
    pauses = Pauses()
    commands = [paused(1), resumed(2), paused(3, task="moods")]
    for command in commands * 2:
        pauses.commanded(command)

    assert ["prices" in pauses, "moods" in pauses] == [False, True]


def test_a_resume_of_what_is_not_paused_and_other_commands_change_nothing() -> None:
    pauses = Pauses()

    assert pauses.commanded(resumed(1))
    assert not pauses.commanded(asked(2))
    assert "prices" not in pauses


def test_a_pause_that_is_sent_again_after_its_resume_counts_where_it_stood_first() -> None:
    pauses = Pauses()
    for command in (paused(1), resumed(2), paused(1)):
        assert pauses.commanded(command)

    assert "prices" not in pauses
