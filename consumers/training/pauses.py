"""Which tasks are paused: their windows wait, and so do their refreshes, until somebody resumes."""

from consumers.control import GivenCommand
from schemas.control import Action


class Pauses:
    """The tasks that are paused, each by the last command that says so. Pure.

    It is told of every command on `control` in the order in which they stand there, also after a
    restart, so that a pause stands until its resume.
    """

    def __init__(self) -> None:
        self._by_task: dict[str, GivenCommand] = {}
        self._known: set[str] = set()

    def __contains__(self, task: object) -> bool:
        return task in self._by_task

    def commanded(self, given: GivenCommand) -> bool:
        """Take note of a command; says whether it was one of these.

        A command that was sent again counts where it stood first.
        """
        if given.command.action not in (Action.PAUSE, Action.RESUME):
            return False
        if given.command.command_id not in self._known:
            self._known.add(given.command.command_id)
            if given.command.action is Action.PAUSE:
                self._by_task[given.task] = given
            else:
                self._by_task.pop(given.task, None)
        return True

    def by_task(self) -> dict[str, GivenCommand]:
        """The command that paused each task: who, why and when."""
        return dict(self._by_task)
