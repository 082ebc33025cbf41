"""The train role prunes the store after a round, at most every so often, beside its work."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from consumers.answering import served
from consumers.settings import Settings
from consumers.telemetry import Log
from model.artifacts import ArtifactStore
from model.errors import FreshetError
from model.prune import Pruned, prune

FIRST_AFTER_SECONDS = 300.0
"""A role that is started anew every day, for an hour, prunes too."""


class Housekeeping:
    """Prunes in a thread: no round waits for it, and a fault in it stops nothing.

    A round in flight is safe from it, of this role as of any other; see `model.prune`.

    Args:
        settings: store, broker, how often, and what each task keeps.
        log: told what went.
        pruned: does it, and blocks; None is `prune_now`.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        *,
        pruned: "Callable[[Settings, Callable[[], bool]], Pruned] | None" = None,
    ) -> None:
        self._settings, self._log = settings, log
        self._prune = pruned
        # Not at once: a role that cannot stay up has other worries.
        self._next = time.monotonic() + min(settings.prune_minutes * 60, FIRST_AFTER_SECONDS)
        self._stopping = threading.Event()
        self._running: asyncio.Task[None] | None = None

    def after_round(self) -> None:
        """Begin to prune, if that is on, due, and not under way."""
        seconds = self._settings.prune_minutes * 60
        under_way = self._running is not None and not self._running.done()
        if not seconds or under_way or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + seconds
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Wait no longer; what is not deleted by then is left to the next prune."""
        self._stopping.set()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        try:
            done = await asyncio.to_thread(
                self._prune or prune_now, self._settings, self._stopping.is_set
            )
        except FreshetError as error:
            self._log.warning("prune_failed", error=type(error).__name__, reason=str(error))
        else:
            self._log.info("store_pruned", files=len(done.deleted), size_bytes=done.size_bytes)


def prune_now(settings: Settings, stopped: Callable[[], bool]) -> Pruned:
    """Remove from the store what no kept version of any task needs; blocks.

    Args:
        settings: store and broker.
        stopped: whether to leave the rest to the next prune.

    Raises:
        BrokerSilentError: it is not known what answers.
        FreshetError: as `model.prune.prune` says.
    """
    return prune(
        ArtifactStore(settings.store),
        lambda _task: None,  # as its last round was told: another role may know it better
        served=served(settings),
        clock=lambda: datetime.now(UTC),
        stopped=stopped,
    )
