"""The training role: windows in, proven versions out.

The order for every round is: lineage entry, events, offset commit. A crash between any two of them
is a redelivery, which the lineage recognises and the events' ids make harmless.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from aiokafka import ConsumerRecord

from consumers.batches import PartitionBatch, Place
from consumers.control import ControlReader, GivenCommand
from consumers.dead_letters import WINDOW_FAILED
from consumers.health.condition import Condition
from consumers.role import RoleKafka, watched
from consumers.runner import run_role
from consumers.settings import Settings
from consumers.telemetry import get_log
from consumers.training.backlog import Backlog, InvalidWindowError, Waiting, window_in
from consumers.training.failures import (
    FailureStreak,
    LearningStoppedError,
    LineageDamagedError,
)
from consumers.training.holds import Holds
from consumers.training.housekeeping import Housekeeping
from consumers.training.messages import (
    Advanced,
    GiveUp,
    GiveUpRefresh,
    Learn,
    Refresh,
)
from consumers.training.outlet import Outlet
from consumers.training.pauses import Pauses
from consumers.training.refreshes import Refreshes
from consumers.training.rounds import Rounds
from consumers.training.schedule import Schedule
from consumers.training.worker import (
    WorkerHandle,
    until_ready,
)
from model.artifacts import ArtifactStore
from schemas.control import Action
from schemas.topics import LABELED_TEXTS, TRAINING_WINDOWS

HELD_BACK_SECONDS = 1.0
"""How exactly the schedule of an offline task is kept, and how soon a resumed one is learned."""
OBEYED = frozenset({Action.REFRESH, Action.FORGET, Action.PAUSE, Action.RESUME})


class TrainingHandler:
    """Keeps the backlog, asks the worker, publishes and commits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = get_log(role="train")
        self._backlog = Backlog()
        self._changed = asyncio.Condition()
        self._worker = WorkerHandle(settings, self._advanced, self._wake)
        self._turned_at, self._in_round, self._stopping = time.monotonic(), False, False
        # Partitions come and go while `batch` waits: what it still holds then is read again.
        self._epoch = 0
        self._streak = FailureStreak(settings.max_failed_windows)
        self._refreshes = Refreshes()
        self._pauses = Pauses()
        self._holds = Holds(self._pauses)
        self._letters: set[str] = set()
        """Windows whose letter is out and whose entry is not: their task is held."""
        self._schedule = Schedule(settings, self._backlog, self._holds)
        self._housekeeping = Housekeeping(settings, self._log)
        self._control: ControlReader | None = None
        self._runner: asyncio.Task[None] | None = None

    async def start(self, kafka: RoleKafka) -> None:
        """Begin to work; the worker warms up while the group is joined."""
        self._outlet = Outlet(kafka, self._log)
        self._rounds = Rounds(
            self._worker,
            self._outlet,
            self._refreshes,
            max_attempts=self._settings.max_attempts,
            log=self._log,
        )
        control = ControlReader(self._settings, role="train", obeys=OBEYED)
        for command in await control.known():
            self._heed(command)
        self._control = control
        watched(control.follow(self._obey), kafka)
        self._runner = watched(asyncio.create_task(self._run()), kafka)

    async def assigned(self, partitions: frozenset[Place]) -> None:
        """Start over on every partition: each is read again from its committed offset."""
        await self._begin_anew(partitions)

    async def revoked(self, partitions: frozenset[Place]) -> None:
        """Forget what another instance will do. A round in hand goes on: its entry decides."""
        await self._begin_anew(partitions)

    async def batch(self, batch: PartitionBatch) -> None:
        """Queue the windows of a batch; waits while too many are queued, paused tasks apart."""
        epoch = self._epoch
        for record in batch.records:
            async with self._changed:
                await self._changed.wait_for(
                    lambda: epoch != self._epoch or not self._schedule.full()
                )
                if epoch != self._epoch:
                    return
                await self._take(record)
                self._changed.notify_all()

    async def stop(self) -> None:
        """Let the round in hand end and be announced, for a while; else it is redelivered."""
        self._stopping = True
        await self._begin_anew(frozenset())  # frees a batch that waits for room
        if self._runner is not None:
            if self._in_round:
                await asyncio.wait({self._runner}, timeout=self._settings.finish_seconds)
            self._runner.cancel()
            await asyncio.wait({self._runner})
        if self._control is not None:
            await self._control.stop()
        await self._housekeeping.stop()
        await self._worker.stop()

    def condition(self) -> Condition:
        """The worker's, with the signs of life of what is around it."""
        worker = self._worker.condition()
        beats = (worker.beat_at, self._turned_at, self._outlet.beat_at)
        return replace(worker, beat_at=max(beats), tasks=self._backlog.waiting())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _obey(self, command: GivenCommand) -> None:
        async with self._changed:
            self._heed(command)
            self._changed.notify_all()

    def _heed(self, command: GivenCommand) -> None:
        """Pause, resume, or queue what a command asks for. A round in hand is ended first."""
        if not self._pauses.commanded(command):
            self._refreshes.commanded(command)

    async def _begin_anew(self, partitions: frozenset[Place]) -> None:
        async with self._changed:
            self._epoch += 1
            self._backlog.drop(partitions)
            # Whoever extends a lineage meanwhile may have died before it announced its entry, and
            # may do the refresh too; the next window tells whether that is still due.
            self._rounds.begin_anew()
            self._refreshes.forget_due()
            self._changed.notify_all()

    async def _take(self, record: ConsumerRecord) -> None:
        try:
            window = window_in(record, over=self._settings.topic(LABELED_TEXTS.name))
        except InvalidWindowError as error:
            await self._outlet.dead(record, "invalid_window", str(error))
            self._backlog.passed(record)
        else:
            self._backlog.add(Waiting(window, record))

    async def _run(self) -> None:
        """Learn what waits, refresh what is due, until stopped; a worker that died is replaced."""
        while not self._stopping:
            await until_ready(self._worker, self._log)
            await self._wait_for_work()
            if self._worker.up and not self._stopping:
                self._in_round = True
                await self._work()
                self._in_round = False

    async def _wait_for_work(self) -> None:
        async with self._changed:
            if not self._backlog and not self._refreshes:
                self._log.info("training_idle", backlog=0)
            await self._changed.wait_for(
                lambda: self._backlog or self._refreshes or self._stopping or not self._worker.up
            )
        self._turned_at = time.monotonic()

    async def _work(self) -> None:
        # A refresh that is due goes first: a stream that is never idle would starve it.
        if self._refreshes.ready(self._holds):
            request = self._refreshes.take(self._holds)
            try:
                await self._refresh(request)
            except LineageDamagedError as error:
                self._refreshes.again(request)
                await self._hold(request.task, error)
            return
        items = self._schedule.next()
        if not items:
            await asyncio.sleep(HELD_BACK_SECONDS)
            return
        try:
            await self._learn(items)
        except LineageDamagedError as error:
            await self._hold(items[0].window.task, error)
            return
        async with self._changed:
            self._backlog.done(items)
            self._changed.notify_all()
            ends = self._backlog.committable()
        await self._outlet.commit(ends)
        self._housekeeping.after_round()

    async def _learn(self, items: Sequence[Waiting]) -> None:
        """Learn windows together; where that is refused, halve until the bad one stands alone."""
        task = items[0].window.task
        windows = tuple(item.window for item in items)
        failed = await self._rounds.settle(task, Learn(task=task, windows=windows))
        if failed is None:
            self._streak.learned()
            self._holds.went_well(task)
            self._refreshes.learned(task)
            return
        if len(items) > 1:
            middle = len(items) // 2
            await self._learn(items[:middle])
            await self._learn(items[middle:])
            return
        self._streak.failed(failed)
        reason = f"{failed.error}: {failed.message}"
        self._log.error("window_failed", task=task, window_id=windows[0].window_id, reason=reason)
        # The letter first: once the entry is there, a window that comes again is accounted for.
        if windows[0].window_id not in self._letters:
            await self._outlet.dead(items[0].record, WINDOW_FAILED, reason)
            self._letters.add(windows[0].window_id)
        await self._give_up(GiveUp(task=task, windows=windows, reason=reason))
        self._letters.discard(windows[0].window_id)

    async def _hold(self, task: str, error: LineageDamagedError) -> None:
        """Let the task wait, with all its windows, and the others go on."""
        async with self._changed:  # its windows leave room for those of others
            seconds = self._holds.hold(task)
            self._changed.notify_all()
        self._log.error("task_held", task=task, reason=str(error), tried_again_in=seconds)

    async def _refresh(self, request: Refresh) -> None:
        """Refresh an encoder; a refusal is written down, so that not every window asks again."""
        task, why = request.task, request.why
        failed = await self._rounds.settle(task, request)
        if failed is not None:
            reason = f"{failed.error}: {failed.message}"
            self._log.error("refresh_failed", task=task, why=why, reason=reason)
            await self._give_up(GiveUpRefresh(task=task, reason=f"{why}: {reason}"))

    async def _give_up(self, request: GiveUp | GiveUpRefresh) -> None:
        refused = await self._rounds.settle(request.task, request)
        if refused is not None:
            msg = (
                f"cannot even write down a failure of {request.task}: {refused.message} (it was "
                f"{request.reason}); `freshet pause {request.task} --why ...` lets others go on"
            )
            raise LearningStoppedError(msg)

    def _advanced(self, news: Advanced) -> None:
        self._log.info("training_progress", stage=news.stage, **news.fields)


def run(settings: Settings) -> int:
    """Run the training role until it is told to stop; gives the exit status.

    Raises:
        ConfigError: the store is none. To find that out in the worker would first cost the other
            instances of the role a rebalance.
    """
    ArtifactStore(settings.store)
    return run_role(
        settings, role="train", topics=[TRAINING_WINDOWS], handler=TrainingHandler(settings)
    )
