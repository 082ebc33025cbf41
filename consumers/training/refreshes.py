"""Which encoders are to be refreshed: those that are due, and those that somebody asks for."""

from collections.abc import Container

from consumers.control import GivenCommand
from consumers.training.messages import GiveUpRefresh, Refresh, Round
from schemas.control import Action


def found_out_again(request: Round) -> bool:
    """Whether the next window of the task finds out anew if this is due; a command is not."""
    if isinstance(request, Refresh):
        return request.commanded_at is None
    return isinstance(request, GiveUpRefresh)


class Refreshes:
    """The next refresh of each task. Pure: whether one is still to be done, the lineage tells."""

    def __init__(self) -> None:
        self._next: dict[str, Refresh] = {}
        self._too_early: dict[str, Refresh] = {}

    def __bool__(self) -> bool:
        return bool(self._next)

    def due(self, task: str, why: str) -> None:
        """One is due; a command that waits already says more."""
        self._next.setdefault(task, Refresh(task=task, why=why))

    def commanded(self, given: GivenCommand) -> None:
        """Somebody asks for one. Of several commands the last counts: one refresh settles all.

        Where any of them was to forget, it erases: that settles the others too.
        """
        task, command = given.task, given.command
        waiting = [self._too_early.pop(task, None), self._next.get(task)]
        self._next[task] = Refresh(
            task=task,
            why=f"commanded by {command.who}: {command.why}",
            commanded_at=given.given_at,
            erases=command.action is Action.FORGET or any(r.erases for r in waiting if r),
        )

    def ready(self, paused: Container[str]) -> bool:
        """Whether one waits of a task that is not paused."""
        return any(task not in paused for task in self._next)

    def take(self, paused: Container[str] = ()) -> Refresh:
        """The one that waits longest of those that are `ready`, which waits no more."""
        return self._next.pop(next(task for task in self._next if task not in paused))

    def again(self, refresh: Refresh) -> None:
        """Put back what was taken; a later command says more, and erases where either does."""
        later = self._next.get(refresh.task, refresh)
        erases = later.erases or refresh.erases
        self._next[refresh.task] = later.model_copy(update={"erases": erases})

    def postpone(self, refresh: Refresh) -> None:
        """Keep a command until its task has learned more."""
        self._too_early[refresh.task] = refresh

    def learned(self, task: str) -> None:
        """A task has learned: what came too early for it may be tried again."""
        if (refresh := self._too_early.pop(task, None)) is not None:
            self._next[task] = refresh

    def forget_due(self) -> None:
        """Forget what is only due: whoever learns the next window finds out. Commands stay."""
        self._next = {t: each for t, each in self._next.items() if each.commanded_at is not None}
