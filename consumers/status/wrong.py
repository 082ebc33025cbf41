"""What of a status a person should look at. Decides, from the facts alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.plural import counted
from consumers.settings import Settings
from consumers.status.facts import Group, Status, Task, Wrong
from model.clean_start import TRACE

HELD = timedelta(seconds=20)
"""A text that waits longer was not only about to be answered."""
GRACE = timedelta(seconds=120)
"""What a timer of a role may be late, and a swap may take."""

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What counts as wrong."""

    stalled_after: timedelta = timedelta(minutes=15)
    """A window that waits longer to be learned."""
    rejected_in_a_row: int = 3
    """So many rounds, one after the other."""


def what_is_wrong(status: Status, *, settings: Settings, limits: Limits) -> tuple[Wrong, ...]:
    """Everything that a person should look at, the gravest first.

    Lag alone is none of it: the windows role's is what open windows hold, and a window has waited
    too long only where nothing holds it back. What a role is silent about is told by the age of
    what it has not done.
    """
    return (
        *status.faults,
        *(_missing(topic) for topic in status.missing_topics),
        *(_no_member(group) for group in status.groups if not group.members),
        *_held(status, settings),
        *_stalled(status, settings, limits),
        *_dead(status),
        *(wrong for task in status.tasks for wrong in _of_task(task, limits)),
    )


def _missing(topic: str) -> Wrong:
    return Wrong(what="topic_missing", where=topic, detail="run `freshet topics`")


def _no_member(group: Group) -> Wrong:
    detail = f"nobody is in the group {group.name}: no {group.role} role runs"
    return Wrong(what="no_member", where=group.role, detail=detail)


def _held(status: Status, settings: Settings) -> Iterator[Wrong]:
    """Texts at the head of a partition that no version answers, though a serve role runs."""
    if not any(group.members for group in status.groups if group.role == "serve"):
        return
    tasks = {task.task: task for task in status.tasks}
    unread = {fault.where for fault in status.faults if fault.what == "lineage_damaged"}
    store_read = all(fault.what != "store_silent" for fault in status.faults)
    for text in status.first_texts:
        task = tasks.get(text.task, Task(task=text.task))
        if text.task in unread or _answered_lately(task, status.at):
            continue  # not known, or catching up
        number, since = task.serves, max(text.since, task.serves_since or text.since)
        waited = status.at - since
        behind = f"and {text.behind} behind it" if text.behind else "and none behind it yet"
        if number is None and store_read and waited > HELD:
            detail = (
                f"a text for {text.task}, which has no version, waits for {told(waited)}, {behind};"
                f" it is given up after {settings.wait_for_model_seconds:.0f} s. "
                "FRESHET_STRICT_TASKS=true refuses texts of tasks that the YAML file does not name"
            )
        elif number is not None and waited > GRACE:
            detail = (
                f"a text for {text.task} waits for {told(waited)}, {behind}, though version "
                f"{number} serves: did the serve role refuse it?"
            )
        else:
            continue
        yield Wrong(what="held", where=text.place, detail=detail)


def _answered_lately(task: Task, now: datetime) -> bool:
    return task.answers is not None and now - task.answers.at < GRACE


def _stalled(status: Status, settings: Settings, limits: Limits) -> Iterator[Wrong]:
    longest_open = max(
        (settings.task(task.task).window.max_idle_seconds for task in status.tasks), default=0.0
    )
    patience = {
        "windows": timedelta(seconds=longest_open) + GRACE,
        "serve": timedelta(seconds=settings.wait_for_model_seconds) + GRACE,
    }
    for group in status.groups:
        limit = patience.get(group.role)
        if limit and group.oldest_at and group.lag and status.at - group.oldest_at > limit:
            waits = _ago(group.oldest_at, status.at)
            detail = f"{counted(group.lag, 'record')} of {group.topic} wait, the oldest for {waits}"
            yield Wrong(what="stalled", where=group.role, detail=detail)
    for task in status.tasks:
        if task.waiting and not task.paused:
            limit = limits.stalled_after + _schedule(settings, task.task)
            if status.at - task.waiting.since > limit:
                waits = _ago(task.waiting.since, status.at)
                windows = counted(task.waiting.windows, "window")
                detail = f"{windows} wait to be learned, the oldest for {waits}"
                yield Wrong(what="stalled", where=task.task, detail=detail)


def _schedule(settings: Settings, task: str) -> timedelta:
    """How long an offline task holds its windows back on purpose."""
    config = settings.task(task)
    if config.mode == "online":
        return timedelta()
    seconds = config.offline.every_seconds
    return timedelta.max / 2 if seconds is None else timedelta(seconds=seconds)


def _dead(status: Status) -> Iterator[Wrong]:
    since = status.dead_letters_since
    for topic, count in status.dead_letters.items():
        if count:
            when = f" in the last {(status.at - since) / HOUR:g} h" if since else ""
            detail = f"{counted(count, 'record')}{when}; see `freshet dead-letters list`"
            yield Wrong(what="dead_letters", where=topic, detail=detail)


def _of_task(task: Task, limits: Limits) -> Iterator[Wrong]:
    if task.last and task.rejected_in_a_row >= limits.rejected_in_a_row:
        detail = f"{task.rejected_in_a_row} rounds in a row were rejected: {task.last.reason}"
        yield Wrong(what="rejected_in_a_row", where=task.task, detail=detail)
    if task.answers and task.serves_since and task.serves is not None:
        late = task.answers.at > task.serves_since + GRACE
        if late and task.answers.version < task.serves:
            detail = (
                f"texts are answered by version {task.answers.version}, though {task.serves} "
                "serves: did the serve role refuse it?"
            )
            yield Wrong(what="older_version_answers", where=task.task, detail=detail)
    if task.forgotten_in_encoder:
        yield Wrong(what="forgotten_in_encoder", where=task.task, detail=TRACE)
    if task.paused:
        detail = (
            f"by {task.paused.who} since {task.paused.since:%d %b %H:%M} UTC: {task.paused.why}"
        )
        yield Wrong(what="paused", where=task.task, detail=detail)


def _ago(then: datetime, now: datetime) -> str:
    return told(now - then)


def told(span: timedelta) -> str:
    """A span of time in the largest unit that fits: `40 s`, `12 min`, `5 h`, `3 d`."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (unit == "d" and seconds >= size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
