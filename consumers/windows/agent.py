"""The windows role: validate, accumulate, publish, and only then commit.

The committed offset of a partition is the start of its oldest window that is not yet published. So
every crash is a redelivery: the open windows are read again from the log, which is the state.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from consumers.batches import PartitionBatch, Place
from consumers.control import ControlReader, GivenCommand
from consumers.dead_letters import dead_letter_of
from consumers.flood_guard import FloodGuard
from consumers.health.condition import Condition
from consumers.publisher import Outgoing
from consumers.records import BadRecordError, RawRecord, valid_labeled_text
from consumers.role import RoleKafka, watched
from consumers.runner import run_role
from consumers.settings import Settings
from consumers.telemetry import get_log
from consumers.windows.accumulator import Arrival, WindowAccumulator
from model.config import WindowConfig
from model.errors import FreshetError, RetryError
from schemas.control import Action
from schemas.labeled_text import LabeledText, event_seconds, record_id
from schemas.topics import LABELED_TEXTS, LABELED_TEXTS_DEAD, TRAINING_WINDOWS
from schemas.window import TrainingWindow

TICK_SECONDS = 0.5
"""How exactly `max_idle_seconds` is kept, and how soon a publish that failed is tried again.

Windows open and close with every batch: a timer for the next deadline would be set anew thousands
of times a second, so two looks a second are the cheaper and the simpler way.
"""
SOURCE = "/freshet/windows"


@dataclass(slots=True)
class _Partition:
    """What is held of one partition since it was assigned."""

    accumulator: WindowAccumulator
    letters: list[Outgoing] = field(default_factory=list)
    closed: list[TrainingWindow] = field(default_factory=list)
    committed: int | None = None


class WindowsHandler:
    """Turns batches of `labeled-texts` into windows and dead letters.

    Args:
        settings: limits, tasks and broker.
        clock: the wall-clock time, aware.
    """

    def __init__(
        self, settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings, self._clock = settings, clock
        self._log = get_log(role="windows")
        self._guard = FloodGuard(
            settings.flood_ratio, settings.flood_records, in_a_row=settings.flood_in_a_row
        )
        self._partitions: dict[Place, _Partition] = {}
        self._commands: dict[str, list[int]] = {}
        self._config_of = lru_cache(maxsize=4096)(self._window_config)
        self._lock = asyncio.Lock()
        self._control: ControlReader | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, kafka: RoleKafka) -> None:
        """Learn of the commands given so far, before any record is read."""
        self._kafka = kafka
        control = ControlReader(self._settings, role="windows", obeys=frozenset({Action.CLOSE}))
        for command in await control.known():
            self._remember(command)
        self._control = control
        watched(control.follow(self._obey), kafka)
        self._ticking = watched(asyncio.create_task(self._tick()), kafka)

    async def assigned(self, partitions: frozenset[Place]) -> None:
        """Start over: each partition is read again from its committed offset."""
        async with self._lock:
            self._guard.read_again(partitions)
            self._partitions = {
                (topic, partition): _Partition(
                    WindowAccumulator(topic, partition, self._config_of, self._commands)
                )
                for topic, partition in partitions
            }

    async def revoked(self, partitions: frozenset[Place]) -> None:
        """Forget the open windows: whoever gets the partition reads them from the log."""
        async with self._lock:
            for place in partitions:
                self._partitions.pop(place, None)

    async def batch(self, batch: PartitionBatch) -> None:
        """Validate and accumulate; then publish what closed, and commit."""
        async with self._lock:
            held = self._partitions.get(batch.place)
            if held is None:
                return
            if held.accumulator.position is None:
                await self._remind(batch.place, held)
            self._take(held, batch)
            await self._settle(batch.place, held)

    async def stop(self) -> None:
        """Leave the open windows to whoever reads them again."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait({self._ticking})
        if self._control is not None:
            await self._control.stop()

    def condition(self) -> Condition:
        """How many records wait in open windows, by task."""
        waiting: Counter[str] = Counter()
        for held in self._partitions.values():
            waiting.update(held.accumulator.waiting())
        return Condition(tasks={task: {"open_records": count} for task, count in waiting.items()})

    async def _remind(self, place: Place, held: _Partition) -> None:
        """Tell an accumulator that has just begun of the commands given before."""
        if not self._commands:
            return
        end = (await self._kafka.end_offsets([place]))[place]
        for task, times in self._commands.items():
            held.accumulator.command(task, given=max(times), end=end, now=self._clock())

    def _take(self, held: _Partition, batch: PartitionBatch) -> None:
        accumulator, now = held.accumulator, self._clock()
        held.closed += accumulator.add(self._valid(held, batch, now), now=now)
        accumulator.skip(batch.records[-1].offset)
        held.closed += accumulator.passed(now=now)

    def _valid(self, held: _Partition, batch: PartitionBatch, now: datetime) -> Iterator[Arrival]:
        """The valid records of a batch; a bad one becomes a dead letter instead."""
        settings, first, good = self._settings, held.accumulator.position or 0, 0
        for raw in batch.records:
            if raw.offset < first:
                continue  # a batch handed over again after a failed publish
            try:
                text = valid_labeled_text(raw, settings=settings)
            except BadRecordError as bad:
                self._guard.saw_good(batch.place, good)
                self._guard.saw_bad(batch.place, why=str(bad))
                good = 0
                letter = dead_letter_of(raw, reason=bad.reason, detail=bad.detail, now=now)
                headers = letter.headers(SOURCE)
                held.letters.append(
                    Outgoing(LABELED_TEXTS_DEAD, letter.encode(), letter.key, headers)
                )
            else:
                good += 1
                yield _arrival(raw, text)
        self._guard.saw_good(batch.place, good)

    async def _settle(self, place: Place, held: _Partition) -> None:
        """Make durable what was decided, in the order that a crash forgives.

        1. publish dead letters and closed windows, and wait for every replica;
        2. only then commit the start of the oldest open window.

        Raises:
            RetryError: the broker does not answer; what is unpublished is kept for the next try.
        """
        # 1.
        windows = [
            Outgoing(TRAINING_WINDOWS, w.encode(), w.task.encode(), w.headers(SOURCE))
            for w in held.closed
        ]
        if windows or held.letters:
            await self._kafka.publish_all([*held.letters, *windows])
        for window in held.closed:
            self._log_closed(window)
        held.letters, held.closed = [], []
        # 2.
        offset = held.accumulator.committable
        if offset is not None and offset != held.committed:
            await self._kafka.commit({place: offset})
            held.committed = offset

    async def _tick(self) -> None:
        """Close idle windows, and publish what an earlier try could not."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.tick()

    async def tick(self) -> None:
        """Look once."""
        async with self._lock:
            for place, held in self._partitions.items():
                held.closed += held.accumulator.tick(self._clock())
                if held.closed or held.letters:
                    await self._settle_soon(place, held)

    async def _obey(self, command: GivenCommand) -> None:
        """Close what a command names.

        Raises:
            RetryError: the broker does not tell where the log ends; obey the command again.
        """
        self._remember(command)
        async with self._lock:
            if not self._partitions:
                return
            ends = await self._kafka.end_offsets(self._partitions)
            for place, held in self._partitions.items():
                held.closed += held.accumulator.command(
                    command.task, given=command.given, end=ends[place], now=self._clock()
                )
                if held.closed:
                    await self._settle_soon(place, held)

    async def _settle_soon(self, place: Place, held: _Partition) -> None:
        """Settle now, or with the next tick where the broker does not answer."""
        try:
            await self._settle(place, held)
        except RetryError as error:
            self._log.warning("batch_retried", error=str(error))
        except FreshetError as error:
            self._kafka.fail(error)

    def _remember(self, command: GivenCommand) -> None:
        times = self._commands.setdefault(command.task, [])
        if command.given not in times:  # a command may be obeyed twice
            times.append(command.given)

    def _window_config(self, task: str) -> WindowConfig:
        return self._settings.task(task).window

    def _log_closed(self, window: TrainingWindow) -> None:
        self._log.info(
            "window_closed",
            window_id=window.window_id,
            task=window.task,
            records=window.num_records,
            reason=window.reason.value,
        )


def _arrival(raw: RawRecord, text: LabeledText) -> Arrival:
    offset, appended = raw.offset, raw.timestamp
    return Arrival(
        offset,
        text.task,
        text.id
        or record_id(
            None, topic=raw.topic, partition=raw.partition, offset=offset, headers=raw.headers
        ),
        text.label,
        appended,
        event_seconds(text.event_time, appended_seconds=max(appended, 0) / 1000),
    )


def run(settings: Settings) -> int:
    """Run the role until it is told to stop; returns the exit status."""
    handler = WindowsHandler(settings)
    return run_role(settings, role="windows", topics=[LABELED_TEXTS], handler=handler)
