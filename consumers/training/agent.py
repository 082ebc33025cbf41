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
from consumers.health.condition import Condition
from consumers.role import RoleKafka, watched
from consumers.runner import run_role
from consumers.settings import Settings
from consumers.telemetry import get_log
from consumers.training.backlog import Backlog, InvalidWindowError, Waiting, window_in
from consumers.training.failures import FailureStreak, LearningStoppedError
from consumers.training.housekeeping import Housekeeping
from consumers.training.messages import (
    Advanced,
    Committed,
    Failed,
    GiveUp,
    GiveUpRefresh,
    Learn,
    Refresh,
    Round,
    Tip,
)
from consumers.training.outlet import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Outlet
from consumers.training.pauses import Pauses
from consumers.training.refreshes import Refreshes, found_out_again
from consumers.training.schedule import Schedule
from consumers.training.worker import (
    WorkerDiedError,
    WorkerHandle,
    WorkerNotReadyError,
    until_ready,
)
from model.lineage import LineageEntry
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
        self._announced: dict[str, int] = {}
        self._refreshes = Refreshes()
        self._pauses = Pauses()
        self._schedule = Schedule(settings, self._backlog, self._pauses)
        self._housekeeping = Housekeeping(settings, self._log)
        self._control: ControlReader | None = None
        self._runner: asyncio.Task[None] | None = None

    async def start(self, kafka: RoleKafka) -> None:
        """Begin to work; the worker warms up while the group is joined."""
        self._outlet = Outlet(kafka, self._log)
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
            self._announced.clear()
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
        if self._refreshes.ready(self._pauses):
            await self._refresh(self._refreshes.take(self._pauses))
            return
        items = self._schedule.next()
        if not items:
            await asyncio.sleep(HELD_BACK_SECONDS)
            return
        await self._learn(items)
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
        failed = await self._settle(task, Learn(task=task, windows=windows))
        if failed is None:
            self._streak.learned()
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
        await self._outlet.dead(items[0].record, "window_failed", reason)
        await self._give_up(GiveUp(task=task, windows=windows, reason=reason))

    async def _refresh(self, request: Refresh) -> None:
        """Refresh an encoder; a refusal is written down, so that not every window asks again."""
        task, why = request.task, request.why
        failed = await self._settle(task, request)
        if failed is not None:
            reason = f"{failed.error}: {failed.message}"
            self._log.error("refresh_failed", task=task, why=why, reason=reason)
            await self._give_up(GiveUpRefresh(task=task, reason=f"{why}: {reason}"))

    async def _give_up(self, request: GiveUp | GiveUpRefresh) -> None:
        refused = await self._settle(request.task, request)
        if refused is not None:
            msg = f"cannot even write down a failure of {request.task}: {refused.message} "
            raise LearningStoppedError(f"{msg}(it was {request.reason})")

    async def _settle(self, task: str, request: Round) -> Failed | None:
        """Ask until there is an entry, which is then published, or the request is refused."""
        pause, deaths = FIRST_PAUSE_SECONDS, 0
        while True:
            try:
                reply = await self._ask_in_order(task, request)
            except WorkerNotReadyError as error:
                reply = Failed(fate="retry", error=type(error).__name__, message=str(error))
            except WorkerDiedError as error:
                deaths += 1
                reply = Failed(fate="retry", error=type(error).__name__, message=str(error))
                if deaths >= self._settings.max_attempts:
                    return reply.model_copy(update={"fate": "reject"})
            if isinstance(reply, Committed):
                await self._announce(task, reply.entry)
                await self._announce_what_overtook(task, reply.entry)
                if reply.again:
                    continue
                if reply.too_early and isinstance(request, Refresh):
                    self._refreshes.postpone(request)
                if reply.refresh_due and not isinstance(request, GiveUpRefresh):
                    self._refreshes.due(task, reply.refresh_due)
                return None
            if reply.fate == "reject":
                return reply
            if reply.fate == "stop":
                raise LearningStoppedError(reply.message)
            self._announced.pop(task, None)
            self._log.warning(
                "training_retried", task=task, error=reply.error, reason=reply.message, pause=pause
            )
            if reply.tip_moved and found_out_again(request):
                return None
            if not reply.tip_moved:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _ask_in_order(self, task: str, request: Round) -> Committed | Failed:
        """Publish the tip's events, where they may not have gone out, before it is extended."""
        if task not in self._announced:
            reply = await self._worker.ask(Tip(task=task))
            if isinstance(reply, Failed):
                return reply
            for entry in (*reply.before, reply.entry):
                await self._announce(task, entry)
        announced = {"announced": self._announced.get(task, -1)}
        return await self._worker.ask(request.model_copy(update=announced))

    async def _announce(self, task: str, entry: LineageEntry | None) -> None:
        if entry is None:
            self._announced.setdefault(task, -1)
            return
        await self._outlet.announce(entry)
        self._announced[task] = entry.sequence

    async def _announce_what_overtook(self, task: str, entry: LineageEntry | None) -> None:
        """Announce once more what a command wrote behind our entry and announced before it.

        Late followers begin with what was announced last, which must not be the older of the two.
        """
        if entry is None:
            return
        try:
            reply = await self._worker.ask(Tip(task=task))
        except (WorkerDiedError, WorkerNotReadyError):
            self._announced.pop(task, None)  # then the next round asks for the tip
            return
        found = reply.entry if isinstance(reply, Committed) else None
        if found is not None and found.sequence > entry.sequence:
            await self._announce(task, found)

    def _advanced(self, news: Advanced) -> None:
        self._log.info("training_progress", stage=news.stage, **news.fields)


def run(settings: Settings) -> int:
    """Run the training role until it is told to stop; gives the exit status."""
    return run_role(
        settings, role="train", topics=[TRAINING_WINDOWS], handler=TrainingHandler(settings)
    )
