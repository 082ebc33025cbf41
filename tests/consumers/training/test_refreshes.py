"""Which refresh comes next, of those that are due and those that somebody asks for."""

from datetime import UTC, datetime

from consumers.control import GivenCommand
from consumers.training.messages import Refresh
from consumers.training.refreshes import Refreshes
from schemas.control import Action, Command

AT = datetime(1970, 1, 1, tzinfo=UTC)


def asked(given: int, *, task: str = "prices", action: Action = Action.REFRESH) -> GivenCommand:
    """A command to refresh, appended so many milliseconds after `AT`."""
    command = Command(
        command_id=f"c-{given}",
        action=action,
        task=task,
        who="ops",
        why="the style guide changed",
        given_at=AT,
    )
    return GivenCommand(command, given)


def test_a_refresh_is_taken_once_and_the_oldest_first() -> None:
    refreshes = Refreshes()
    refreshes.due("prices", "no encoder of its own")
    refreshes.due("moods", "no encoder of its own")

    assert [refreshes.take().task, refreshes.take().task] == ["prices", "moods"]
    assert not refreshes


def test_of_several_commands_the_last_counts() -> None:
    refreshes = Refreshes()
    refreshes.commanded(asked(1_000))
    refreshes.commanded(asked(2_000))

    assert refreshes.take().commanded_at == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert not refreshes


def test_a_command_to_forget_is_not_lost_behind_one_to_refresh() -> None:
    refreshes = Refreshes()
    refreshes.commanded(asked(1_000, action=Action.FORGET))
    refreshes.commanded(asked(2_000))

    refresh = refreshes.take()
    assert refresh.erases
    refreshes.postpone(refresh)
    refreshes.commanded(asked(3_000))
    assert refreshes.take().erases
    refreshes.commanded(asked(4_000))
    assert not refreshes.take().erases


def test_a_command_stands_above_what_is_due() -> None:
    refreshes = Refreshes()
    refreshes.due("prices", "1000 records since the last refresh")
    refreshes.commanded(asked(1_000))
    refreshes.due("prices", "1200 records since the last refresh")

    assert refreshes.take().why == "commanded by ops: the style guide changed"


def test_what_is_only_due_is_forgotten_and_commands_stay() -> None:
    refreshes = Refreshes()
    refreshes.due("moods", "no encoder of its own")
    refreshes.commanded(asked(1_000))
    refreshes.forget_due()

    assert refreshes.take().task == "prices"
    assert not refreshes


def test_a_command_that_came_too_early_is_tried_when_its_task_has_learned() -> None:
    refreshes, early = Refreshes(), Refresh(task="prices", why="asked", commanded_at=AT)
    refreshes.postpone(early)
    refreshes.learned("moods")
    assert not refreshes

    refreshes.learned("prices")
    assert refreshes.take() == early
    refreshes.learned("prices")
    assert not refreshes
