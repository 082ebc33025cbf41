"""One round: asked of the worker until it is settled, and published in the order of its lineage."""

import asyncio

from consumers.telemetry import Log
from consumers.training.failures import LearningStoppedError, LineageDamagedError
from consumers.training.messages import Committed, Failed, GiveUpRefresh, Refresh, Round, Tip
from consumers.training.outlet import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Outlet
from consumers.training.refreshes import Refreshes, found_out_again
from consumers.training.worker import WorkerDiedError, WorkerHandle, WorkerNotReadyError
from model.lineage_entry import LineageEntry


class Rounds:
    """Asks the worker for entries and publishes them.

    Args:
        worker: who extends lineages.
        outlet: where entries are published.
        refreshes: told which refresh is due, or came too early.
        max_attempts: deaths of the worker over one request before that is refused.
        log: of the role.
    """

    def __init__(
        self,
        worker: WorkerHandle,
        outlet: Outlet,
        refreshes: Refreshes,
        *,
        max_attempts: int,
        log: Log,
    ) -> None:
        self._worker, self._outlet, self._refreshes = worker, outlet, refreshes
        self._max_attempts, self._log = max_attempts, log
        self._announced: dict[str, int] = {}

    def begin_anew(self) -> None:
        """Forget what was announced: another instance may have extended a lineage and died."""
        self._announced.clear()

    async def settle(self, task: str, request: Round) -> Failed | None:
        """Ask until there is an entry, which is then published, or the request is refused.

        Raises:
            LearningStoppedError: nothing will go well until a person changes something.
            LineageDamagedError: nothing of this task will.
        """
        pause, deaths = FIRST_PAUSE_SECONDS, 0
        while True:
            try:
                reply = await self._ask_in_order(task, request)
            except WorkerNotReadyError as error:
                reply = Failed(fate="retry", error=type(error).__name__, message=str(error))
            except WorkerDiedError as error:
                deaths += 1
                reply = Failed(fate="retry", error=type(error).__name__, message=str(error))
                if deaths >= self._max_attempts:
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
            _raise_unless_retried(reply)
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


def _raise_unless_retried(reply: Failed) -> None:
    if reply.fate == "hold":
        raise LineageDamagedError(reply.message)
    if reply.fate == "stop":
        raise LearningStoppedError(reply.message)
