"""Which of the windows that wait may be learned now."""

from collections.abc import Container, Sequence
from datetime import UTC, datetime

from consumers.settings import Settings
from consumers.training.backlog import Backlog, Waiting
from consumers.training.held_back import held_back
from schemas.window import TrainingWindow

MOST_WAITING = 1000
"""Windows held in memory; more stay on the topic."""


class Schedule:
    """Takes windows out of a backlog, in their order, as pauses and offline tasks allow it.

    Args:
        settings: how each task learns.
        backlog: the windows that wait.
        paused: the tasks of which none is learned.
    """

    def __init__(self, settings: Settings, backlog: Backlog, paused: Container[str]) -> None:
        self._settings, self._backlog, self._paused = settings, backlog, paused

    def full(self) -> bool:
        """Whether enough windows wait. A paused task may gather more: it must not block others."""
        return self._backlog.num_of_others(self._paused) >= MOST_WAITING

    def next(self) -> list[Waiting]:
        """The windows to learn together now; none where all that wait are held back."""
        return self._backlog.next_of_one_task(self._most_windows, self._held_back)

    def _most_windows(self, task: str) -> int:
        """Windows of a task that are learned together; an offline one takes all it gathered."""
        config = self._settings.task(task)
        return MOST_WAITING if config.mode == "offline" else config.max_windows_per_update

    def _held_back(self, task: str, windows: Sequence[TrainingWindow]) -> bool:
        """Whether a task is paused or waits for its schedule, which a full backlog overrides."""
        if task in self._paused:
            return True
        config = self._settings.task(task)
        return not self.full() and held_back(windows, config=config, now=datetime.now(UTC))
