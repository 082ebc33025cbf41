"""Gathers the records of one partition into windows: decides, and knows neither Kafka nor clock."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from consumers.records import utc_of
from model.config import WindowConfig
from schemas.base import Span
from schemas.window import MOST_LABELS, CloseReason, TrainingWindow, digest_ids, window_id


@dataclass(slots=True)
class _OpenWindow:
    records: int
    """It closes with so many."""
    max_idle_seconds: float
    start: int
    opened_at: datetime
    latest_event: float
    """A record of a later event time closes the window by age; seconds since 1970."""
    first_appended: int
    """Milliseconds since 1970, as the broker stamped the first record."""
    last_appended: int
    end: int = 0
    ids: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


class Arrival(NamedTuple):
    """What the accumulator needs to know of a valid record."""

    offset: int
    task: str
    id: str
    label: str
    appended: int
    """The broker's append time in milliseconds since 1970."""
    event_seconds: float
    """Its event time in seconds since 1970."""


class _Pending(NamedTuple):
    """A close command that waits until its partition has been read up to `end`."""

    task: str
    given: int
    end: int


class WindowAccumulator:
    """The open windows of one partition, one a task.

    Windows of a task are disjoint and in offset order; each spans from its first record to its
    last. The same records, times and commands always give the same windows.

    Args:
        topic: the partition's topic.
        partition: its number.
        config_of: the window policy of a task; asked once for each window.
        commands: append times (milliseconds) of the close commands known so far, by task.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        config_of: Callable[[str], WindowConfig],
        commands: dict[str, list[int]] | None = None,
    ) -> None:
        self._topic, self._partition, self._config_of = topic, partition, config_of
        self._open: dict[str, _OpenWindow] = {}
        self._commands = {task: sorted(times) for task, times in (commands or {}).items()}
        self._pending: list[_Pending] = []
        self._position: int | None = None

    @property
    def position(self) -> int | None:
        """The offset behind the last record taken, good or bad; None before the first."""
        return self._position

    @property
    def committable(self) -> int | None:
        """Where reading must begin again after a crash: the oldest open window's start.

        Windows that were returned as closed no longer count: publish them before committing.
        """
        return min((window.start for window in self._open.values()), default=self._position)

    def waiting(self) -> dict[str, int]:
        """Records in open windows, by task."""
        return {task: len(window.ids) for task, window in self._open.items()}

    def add(self, arrivals: Iterable[Arrival], *, now: datetime) -> list[TrainingWindow]:
        """Take records in offset order and return the windows that they close.

        An offset that was taken before is skipped: a redelivered record counts once.

        Args:
            arrivals: the records.
            now: wall-clock time.
        """
        closed = []
        for arrival in arrivals:
            offset, task, record_id, label, appended, _ = arrival
            if self._position is not None and offset < self._position:
                continue
            self._position = offset + 1
            window = self._open.get(task)
            if window is not None and (reason := self._ends_before(window, arrival)):
                closed.append(self._close(task, reason, now))
                window = None
            if window is None:
                window = self._opened(arrival, now)
            window.ids.append(record_id)
            window.labels.append(label)
            window.end, window.last_appended = offset + 1, appended
            if len(window.ids) >= window.records:
                closed.append(self._close(task, CloseReason.COUNT, now))
        return closed

    def skip(self, offset: int) -> None:
        """Pass over a bad record."""
        self._position = max(self._position or 0, offset + 1)

    def passed(self, *, now: datetime) -> list[TrainingWindow]:
        """Close what commands ask for whose records have all been read by now."""
        if not self._pending:
            return []
        position = self._position or 0
        due = [command for command in self._pending if command.end <= position]
        self._pending = [command for command in self._pending if command.end > position]
        return [window for command in due for window in self._obey(command, now)]

    def command(self, task: str, *, given: int, end: int, now: datetime) -> list[TrainingWindow]:
        """Close the task's window on records that were appended up to a command.

        A window closes as soon as no such record can come any more: when one of a later append
        time arrives, or when the partition has been read up to `end`. So a command read twice, or
        long after it was given, always makes the same cut.

        Args:
            task: whose window to close.
            given: append time of the command in milliseconds.
            end: the partition's end offset, asked for after the command was read.
            now: wall-clock time.
        """
        times = self._commands.setdefault(task, [])
        if given not in times:
            insort(times, given)
        self._pending.append(_Pending(task, given, end))
        return self.passed(now=now)

    def tick(self, now: datetime) -> list[TrainingWindow]:
        """Close the windows that have been open for too long.

        Where the clock was set back, a window that opened before that counts from now.
        """
        for window in self._open.values():
            window.opened_at = min(window.opened_at, now)
        idle = [
            task
            for task, window in self._open.items()
            if (now - window.opened_at).total_seconds() >= window.max_idle_seconds
        ]
        return [self._close(task, CloseReason.IDLE, now) for task in idle]

    def _ends_before(self, window: _OpenWindow, arrival: Arrival) -> CloseReason | None:
        """Why a window ends before this record, if it does."""
        times = self._commands.get(arrival.task)
        if times and bisect_left(times, arrival.appended) > bisect_left(
            times, window.first_appended
        ):
            return CloseReason.COMMAND
        return CloseReason.AGE if arrival.event_seconds > window.latest_event else None

    def _opened(self, arrival: Arrival, now: datetime) -> _OpenWindow:
        config = self._config_of(arrival.task)
        window = _OpenWindow(
            records=config.records,
            max_idle_seconds=config.max_idle_seconds,
            start=arrival.offset,
            opened_at=now,
            latest_event=arrival.event_seconds + config.max_age_seconds,
            first_appended=arrival.appended,
            last_appended=arrival.appended,
        )
        self._open[arrival.task] = window
        return window

    def _obey(self, command: _Pending, now: datetime) -> list[TrainingWindow]:
        window = self._open.get(command.task)
        if window is None or window.first_appended > command.given:
            return []
        return [self._close(command.task, CloseReason.COMMAND, now)]

    def _close(self, task: str, reason: CloseReason, now: datetime) -> TrainingWindow:
        window = self._open.pop(task)
        span = Span(
            topic=self._topic, partition=self._partition, start=window.start, end=window.end
        )
        return TrainingWindow(
            window_id=window_id(task, span),
            task=task,
            span=span,
            num_records=len(window.ids),
            digest=digest_ids(window.ids),
            label_counts=dict(Counter(window.labels).most_common(MOST_LABELS)),
            opened_at=window.opened_at,
            closed_at=now,
            last_appended_at=utc_of(window.last_appended),
            reason=reason,
        )
