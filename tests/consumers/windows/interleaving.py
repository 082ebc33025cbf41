"""The world of the interleavings: a broker that fails, and roles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from hypothesis import strategies as st

from consumers.batches import Place
from consumers.publisher import BrokerUnavailableError, Outgoing
from consumers.settings import Settings, TasksFile
from consumers.windows.agent import WindowsHandler
from model.config import HoldoutConfig, TaskConfig
from schemas.dead_letter import DeadLetter
from schemas.topics import LABELED_TEXTS_DEAD, TRAINING_WINDOWS
from schemas.window import TrainingWindow

TOPIC = "labeled-texts"
PARTITIONS = (0, 1)
TASKS = ("a", "b")
ROLES = (0, 1)
START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = {"records": 3, "max_age_seconds": 100.0, "max_idle_seconds": 60.0}
SETTINGS = Settings(flood_ratio=1, flood_in_a_row=0).model_copy(
    update={"tasks_file": TasksFile(defaults={"window": WINDOW})}
)
CONFIG = TaskConfig(max_new_labels=2, max_labels=4)
HOLDOUT = HoldoutConfig()

Produced = tuple[int, str | None, int, int | None, str]
PRODUCED = st.tuples(
    st.sampled_from(PARTITIONS),
    st.sampled_from((*TASKS, *TASKS, *TASKS, None)),
    st.sampled_from([0, 0, 50, 300]),
    st.none() | st.integers(0, 9),
    st.sampled_from(["up", "down", "flat", "odd", "new"]),
)
"""Partition, task, event time, number of an id that may come again, label."""
Mishap = Literal["none", "refused", "not acknowledged", "crash"]


class CrashError(Exception):
    """The role is killed at this point."""


class Group:
    """The broker: the log, what was committed, and what was published."""

    def __init__(self) -> None:
        self.log: dict[int, list[Any]] = {partition: [] for partition in PARTITIONS}
        self.committed = dict.fromkeys(PARTITIONS, 0)
        self.owner = dict.fromkeys(PARTITIONS, 0)
        self.windows: dict[str, list[TrainingWindow]] = {task: [] for task in TASKS}
        self.letters: set[tuple[int, int]] = set()

    def take(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            assert record.value is not None
            if record.topic is TRAINING_WINDOWS:
                window = TrainingWindow.decode(record.value)
                self.windows[window.task].append(window)
            else:
                assert record.topic is LABELED_TEXTS_DEAD
                letter = DeadLetter.decode(record.value)
                self.letters.add((letter.partition, letter.offset))


@dataclass
class Kafka:
    """What one role has of the broker."""

    group: Group
    number: int
    mishap: Mishap = "none"

    async def publish_all(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        mishap, self.mishap = self.mishap, "none"
        if mishap != "refused":
            self.group.take(records)
        if mishap in {"refused", "not acknowledged"}:
            raise BrokerUnavailableError(mishap)
        if mishap == "crash":
            raise CrashError
        return []

    async def commit(self, offsets: Mapping[Place, int]) -> bool:
        for (_, partition), offset in offsets.items():
            if self.group.owner[partition] != self.number:
                return False
            self.group.committed[partition] = offset
        return True

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        return {place: len(self.group.log[place[1]]) for place in places}

    def fail(self, error: Exception) -> None:
        raise error


@dataclass
class Role:
    """One instance: a handler, and how far it has fetched each partition that it believes to hold.

    `sees` is the end of what it can still fetch: a paused one that lost its partitions works off
    what it had fetched before.
    """

    handler: WindowsHandler
    kafka: Kafka
    position: dict[int, int] = field(default_factory=dict)
    sees: dict[int, int] | None = None
