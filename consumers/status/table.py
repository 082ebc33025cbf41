"""A status on a terminal of 80 columns."""

from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Group as Stacked
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from consumers.plural import counted
from consumers.status.facts import Group, Status, Task
from consumers.status.lineages import IN_HAND_FOR
from consumers.status.wrong import told

NOTHING_WAITS = "no window"
REFRESH_ASKED = "refresh asked"


def drawn(status: Status) -> RenderableType:
    """Tasks, roles, and what is wrong, or that nothing is.

    Of a task: records that no window has yet (open) and windows that no round has learned yet
    (waits), each with the age of the oldest.
    """
    parts: list[RenderableType] = [
        Text(f"{status.broker}  {status.store}  {status.at:%Y-%m-%d %H:%M:%S} UTC", overflow="fold")
    ]
    if status.tasks:
        parts.append(_tasks(status))
    if status.groups:
        parts.append(_roles(status))
    parts += [Text(f"! {one.where}: {one.what}: {one.detail}") for one in status.wrong]
    if not status.wrong:
        parts.append(Text("nothing is wrong"))
    return Stacked(*parts)


_WHOLE = frozenset({"serves", "ago", "open", "waits", "training", "members", "oldest"})
"""Columns that are never folded: what gives way are names and words."""


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), expand=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in _WHOLE)
    return table


def _tasks(status: Status) -> Table:
    table = _table("task", "serves", "last round", "ago", "open", "waits", "training")
    for task in status.tasks:
        table.add_row(
            task.task,
            "-" if task.serves is None else str(task.serves),
            _last(task),
            told(status.at - task.last.at) if task.last else "-",
            _open(task, status.at),
            _waits(task, status.at),
            training(task, status.at),
        )
    return table


def _last(task: Task) -> str:
    last = task.last
    if last is None:
        return "-"
    kind = "" if last.kind == "increment" else f"{last.kind} "
    return f"{last.sequence} {kind}{last.outcome}"


def _open(task: Task, now: datetime) -> str:
    held = task.gathered
    if held is None:
        return "-"
    return f"{held.records}{'+' if held.more else ''}, {told(now - held.since)}"


def _waits(task: Task, now: datetime) -> str:
    held = task.waiting
    return "-" if held is None else f"{held.windows}, {told(now - held.since)}"


def training(task: Task, now: datetime) -> str:
    """What the train role does with a task, as far as that can be seen from outside.

    A refresh that is due, and that nobody asked for, shows once it writes.
    """
    if task.attempt is not None and now - task.attempt.since < IN_HAND_FOR:
        return f"writes {int(task.attempt.name.split('-')[0])}"
    if task.paused is not None:
        return "paused"
    if task.waiting is not None:
        return "has work"
    return NOTHING_WAITS if task.refresh_asked is None else REFRESH_ASKED


def _roles(status: Status) -> Table:
    table = _table("role", "members", "does", "lag", "oldest")
    for group in status.groups:
        oldest = "-" if group.oldest_at is None else told(status.at - group.oldest_at)
        table.add_row(group.role, str(group.members), _does(group, status), str(group.lag), oldest)
    return table


def _does(group: Group, status: Status) -> str:
    if not group.members:
        return "does not run"
    if group.role == "windows":
        held = [task.gathered.records for task in status.tasks if task.gathered]
        return f"gathers {counted(sum(held), 'record')}" if held else "waits for records"
    if group.role == "serve":
        answers = [f"{t.task} by {t.answers.version}" for t in status.tasks if t.answers]
        if answers:
            return f"answered {', '.join(answers)}"
        waits = group.lag and any(task.serves is None for task in status.tasks)
        return "waits for a first version" if waits else "waits for texts"
    doing = {task.task: training(task, status.at) for task in status.tasks}
    rests = (NOTHING_WAITS, REFRESH_ASKED, "paused")
    if busy := [task for task, what in doing.items() if what not in rests]:
        return f"learns {', '.join(busy)}"
    asked = [task for task, what in doing.items() if what == REFRESH_ASKED]
    return f"is asked for a refresh of {', '.join(asked)}" if asked else "no window waits"
