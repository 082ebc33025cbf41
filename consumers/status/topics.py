"""What waits on the topics, task by task."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from consumers.control import GivenCommand
from consumers.peek import Peek
from consumers.records import BadRecordError, appended_at, parse_text, valid_labeled_text
from consumers.settings import Settings
from consumers.status.facts import Gathered, HeldText, Pause, Waiting
from consumers.training.pauses import Pauses
from schemas.control import Action, Command
from schemas.dead_letter import DeadLetter
from schemas.topics import (
    CONTROL,
    LABELED_TEXTS,
    LABELED_TEXTS_DEAD,
    TEXTS,
    TEXTS_DEAD,
    TRAINING_WINDOWS,
    TRAINING_WINDOWS_DEAD,
    Topic,
)
from schemas.window import TrainingWindow

MOST_LOOKED_AT = 10_000
"""Records of one partition; what lies behind them is told as more."""
DEAD = (LABELED_TEXTS_DEAD, TRAINING_WINDOWS_DEAD, TEXTS_DEAD)

Through = Mapping[str, Mapping[str, int]]
"""By task and `topic/partition`: the offset below which a lineage accounts for every record."""


def windows_waiting(
    peek: Peek, first: Mapping[int, int], through: Through
) -> dict[str, list[TrainingWindow]]:
    """The windows that no round accounts for, by task, in the order in which they closed.

    A committed offset may lie far behind: it waits for the slowest task of its partition.
    """
    found: dict[str, dict[str, TrainingWindow]] = defaultdict(dict)
    for record in peek.records(TRAINING_WINDOWS, first, most=MOST_LOOKED_AT):
        try:
            window = TrainingWindow.decode(record.value or b"")
        except ValidationError:
            continue  # the train role makes a dead letter of it
        if window.span.end > through.get(window.task, {}).get(window.span.place, 0):
            found[window.task][window.window_id] = window
    return {task: list(windows.values()) for task, windows in found.items()}


def waiting(windows: list[TrainingWindow]) -> Waiting:
    """What waits to be learned of one task."""
    return Waiting(
        windows=len(windows),
        records=sum(window.num_records for window in windows),
        since=min(window.closed_at for window in windows),
    )


def gathered(
    peek: Peek,
    first: Mapping[int, int],
    *,
    settings: Settings,
    windows: Mapping[str, list[TrainingWindow]],
    through: Through,
) -> dict[str, Gathered]:
    """The valid records that are in no window yet, by task."""
    times: dict[str, list[datetime]] = defaultdict(list)
    looked_at: dict[int, int] = defaultdict(int)
    for record in peek.records(LABELED_TEXTS, first, most=MOST_LOOKED_AT):
        looked_at[record.partition] += 1
        try:
            task = valid_labeled_text(record, settings=settings).task
        except BadRecordError:
            continue
        place, offset = f"{record.topic}/{record.partition}", record.offset
        done = offset < through.get(task, {}).get(place, 0)
        spans = (window.span for window in windows.get(task, ()))
        if not done and not any(s.place == place and s.start <= offset < s.end for s in spans):
            times[task].append(appended_at(record))
    more = any(number >= MOST_LOOKED_AT for number in looked_at.values())
    return {
        task: Gathered(records=len(found), since=min(found), more=more)
        for task, found in times.items()
    }


def first_texts(
    peek: Peek, first: Mapping[int, int], *, settings: Settings
) -> tuple[HeldText, ...]:
    """The text at the head of each partition: answers come in order, so all others wait for it."""
    ends, found = peek.ends(TEXTS), []
    for record in peek.records(TEXTS, first, most=1):
        try:
            text = parse_text(record, settings=settings)
        except BadRecordError:
            continue  # the serve role makes a dead letter of it
        found.append(
            HeldText(
                task=text.task,
                place=f"{record.topic}/{record.partition}",
                since=appended_at(record),
                behind=max(0, ends[record.partition] - record.offset - 1),
            )
        )
    return tuple(found)


def commands_given(peek: Peek) -> list[GivenCommand]:
    """All that `control` holds; one that was sent again counts where it came first."""
    found: dict[str, GivenCommand] = {}
    for record in peek.records(CONTROL, peek.starts(CONTROL), most=10**9):
        with suppress(ValidationError):  # of a later release
            command = Command.decode(record.value or b"")
            found.setdefault(command.command_id, GivenCommand(command, record.timestamp))
    return list(found.values())


def paused(commands: Iterable[GivenCommand]) -> dict[str, Pause]:
    """The tasks that are paused, as the train role derives it."""
    pauses = Pauses()
    for command in commands:
        pauses.commanded(command)
    return {
        task: Pause(who=given.command.who, why=given.command.why, since=given.given_at)
        for task, given in pauses.by_task().items()
    }


def refreshes_asked(commands: Iterable[GivenCommand]) -> dict[str, datetime]:
    """When `freshet refresh` was given last for each task."""
    return {
        given.task: given.given_at for given in commands if given.command.action is Action.REFRESH
    }


def dead_letters(peek: Peek, settings: Settings, since: datetime) -> dict[str, int]:
    """How many records were set aside since, by topic.

    A restart may repeat letters: a record counts once, as `freshet dead-letters list` has it.
    """
    return {
        settings.topic(topic.name): _set_aside(peek, topic, peek.since(topic, since))
        for topic in DEAD
    }


def _set_aside(peek: Peek, topic: Topic, first: Mapping[int, int]) -> int:
    """The letters behind those that are looked at count one by one, repeated or not."""
    origins = set()
    for record in peek.records(topic, first, most=MOST_LOOKED_AT):
        with suppress(ValidationError):  # no letter: the list passes over it too
            origins.add(DeadLetter.decode(record.value or b"").event_id)
    ends = peek.ends(topic)
    behind = (ends[number] - offset - MOST_LOOKED_AT for number, offset in first.items())
    return len(origins) + sum(max(0, number) for number in behind)
