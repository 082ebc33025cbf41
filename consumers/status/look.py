"""Looks at broker and store, once."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from consumers.answering import Answering, answering
from consumers.peek import BrokerSilentError, Peek
from consumers.settings import Settings
from consumers.status.facts import Answers, Status, Task, Wrong
from consumers.status.groups import groups_of
from consumers.status.lineages import lineage_of
from consumers.status.topics import (
    commands_given,
    dead_letters,
    first_texts,
    gathered,
    paused,
    refreshes_asked,
    waiting,
    windows_waiting,
)
from consumers.status.wrong import Limits, what_is_wrong
from model.artifacts import ArtifactStore, NoFolderError
from model.errors import FreshetError, RejectError
from model.lineage import Lineage
from model.lineage_entry import LineageEntry, command_stands
from schemas.topics import TOPICS

Tips = Mapping[str, LineageEntry | None]
"""The last entry of each lineage that could be read."""


def look(settings: Settings, *, now: datetime, since: datetime, limits: Limits) -> Status:
    """The status now; what cannot be looked at is among its faults, and the rest is told.

    Args:
        settings: broker, store and tasks.
        now: aware.
        since: dead letters count from here.
        limits: what counts as wrong.
    """
    status = Status(
        at=now,
        broker=settings.bootstrap_servers,
        store=settings.store,
        dead_letters_since=since,
    )
    status, tips = _with_store(status, settings)
    try:
        with Peek(settings) as peek:
            status = _with_broker(status, peek, settings, tips, since)
    except BrokerSilentError as error:
        status = _faulty(status, Wrong(what="broker_silent", where="broker", detail=str(error)))
    return status.model_copy(
        update={"wrong": what_is_wrong(status, settings=settings, limits=limits)}
    )


def _with_store(status: Status, settings: Settings) -> tuple[Status, Tips]:
    tasks: list[Task] = []
    tips: dict[str, LineageEntry | None] = {}
    try:
        store = ArtifactStore(settings.store, must_exist=True)
    except NoFolderError:  # nothing was learned yet
        return status, {}
    try:
        status = status.model_copy(update={"store": store.uri})
        for name in store.folders("tasks"):
            try:
                task, tip = lineage_of(store, name)
            except RejectError as error:  # of this task alone
                task, tip = _last_of(store, name)
                damage = Wrong(what="lineage_damaged", where=name, detail=str(error))
                status = _faulty(status, damage)
            tasks.append(task)
            tips[name] = tip
    except FreshetError as error:
        status = _faulty(status, Wrong(what="store_silent", where="store", detail=str(error)))
    return status.model_copy(update={"tasks": tuple(tasks)}), tips


def _last_of(store: ArtifactStore, name: str) -> tuple[Task, LineageEntry | None]:
    """What the last entry alone says, where an older one, or it too, cannot be read."""
    tip = None
    with suppress(RejectError):
        tip = Lineage(store, name).tip()
    return Task(task=name, serves=tip.serving if tip else None), tip


def _with_broker(
    status: Status, peek: Peek, settings: Settings, tips: Tips, since: datetime
) -> Status:
    missing = tuple(settings.topic(topic.name) for topic in TOPICS if not peek.is_there(topic))
    if missing:  # nothing else can be told: the roles do not start without them
        return status.model_copy(update={"missing_topics": missing})
    groups, reads_from = groups_of(settings, peek)
    through = {name: tip.trained_through if tip else {} for name, tip in tips.items()}
    windows = windows_waiting(peek, reads_from["train"], through)
    open_now = gathered(
        peek, reads_from["windows"], settings=settings, windows=windows, through=through
    )
    commands, answers = commands_given(peek), answering(peek)
    held, asked = paused(commands), refreshes_asked(commands)
    known = {task.task: task for task in status.tasks}
    names = {*known, *settings.tasks_file.tasks, *windows, *open_now, *held, *answers}
    tasks = [
        known.get(name, Task(task=name)).model_copy(
            update={
                "gathered": open_now.get(name),
                "waiting": waiting(windows[name]) if name in windows else None,
                "paused": held.get(name),
                "refresh_asked": _still_asked(asked, name, tips),
                "answers": _answers(answers.get(name)),
            }
        )
        for name in sorted(names)
    ]
    return status.model_copy(
        update={
            "tasks": tuple(tasks),
            "groups": groups,
            "first_texts": first_texts(peek, reads_from["serve"], settings=settings),
            "dead_letters": dead_letters(peek, settings, since),
        }
    )


def _still_asked(asked: Mapping[str, datetime], name: str, tips: Tips) -> datetime | None:
    """When a refresh was asked for that the lineage does not have."""
    tip, given_at = tips.get(name), asked.get(name)
    return given_at if tip and given_at and command_stands(tip, given_at=given_at) else None


def _answers(found: Answering | None) -> Answers | None:
    return None if found is None else Answers(version=found.newest, at=found.at)


def _faulty(status: Status, fault: Wrong) -> Status:
    return status.model_copy(update={"faults": (*status.faults, fault)})
