"""The parent's side of the warm worker process."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from consumers.health.condition import Condition
from consumers.settings import REPRODUCIBLE, Settings, child_environment
from consumers.telemetry import Log, get_log
from consumers.training.messages import (
    REPLY,
    Advanced,
    Beat,
    Committed,
    Failed,
    Ready,
    Round,
    Start,
    Tip,
)
from consumers.training.outlet import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from model.errors import RetryError, StopError

# A reply carries a lineage entry; one with many labels and slices runs to a megabyte.
_LONGEST_LINE_BYTES = 64 * 2**20
# Threads of torch that wait for each other must not spin: where a core is shared with a broker or
# another role, that costs half of the speed, and on idle cores it gains nothing.
_SHARING = {"OMP_WAIT_POLICY": "PASSIVE"}

ENDED_SECONDS = 5.0
"""A process whose pipes are closed has ended within so many, or is killed."""


class WorkerDiedError(RetryError):
    """The worker process ended while it was at work (a crash, or out of memory)."""


class WorkerNotReadyError(RetryError):
    """The worker did not become ready; the next time it may. No fault of the round that waits."""


class WorkerHandle:
    """Starts the worker when it is needed, asks it one thing at a time, and ends it.

    Args:
        settings: handed to the worker as they are.
        advanced: called with each piece of progress; must not block.
        died: called when a worker that was ready has ended by itself.
    """

    def __init__(
        self,
        settings: Settings,
        advanced: Callable[[Advanced], None],
        died: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._advanced, self._died_then = advanced, died
        self._doing, self._beat_at = "", time.monotonic()
        self._ready = self._stopping = False
        self._watching: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self._deaths = 0
        self._log = get_log(role="train")

    async def start(self) -> None:
        """Start the worker, if it is not up, and wait until it is ready.

        Raises:
            WorkerNotReadyError: it may go well the next time.
            StopError: it will not, until a person changes something; also where `max_attempts`
                workers in a row ended before they were ready.
        """
        if self.up:
            return
        self._ready = self._stopping = False
        self._begin("starting the worker")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "consumers.training.worker_process",
            stdin=PIPE,
            stdout=PIPE,
            limit=_LONGEST_LINE_BYTES,
            env=child_environment({**_SHARING, **REPRODUCIBLE}),
        )
        try:
            await self._become_ready()
        except WorkerDiedError as error:
            self._deaths += 1
            if self._deaths >= self._settings.max_attempts:
                msg = f"{self._deaths} workers in a row ended before they were ready: {error}"
                raise StopError(msg) from error
            raise WorkerNotReadyError(str(error)) from error
        self._deaths = 0
        self._ready, self._doing = True, ""
        self._log.info("worker_started", pid=self._process.pid)
        self._watching = asyncio.create_task(self._watch(self._process))

    async def ask(self, request: Tip | Round) -> Committed | Failed:
        """Send a request and wait for its answer; progress goes to `advanced` meanwhile.

        Raises:
            WorkerDiedError: the worker ended before it answered; the next call starts another.
            WorkerNotReadyError, StopError: another could not be made ready; see `start`.
        """
        await self.start()
        self._begin(f"{request.type} of {request.task}")
        try:
            await self._say(request.model_dump_json())
            while True:
                reply = await self._hear()
                if isinstance(reply, Committed | Failed):
                    return reply
                if isinstance(reply, Advanced):
                    self._advanced(reply)
        finally:
            self._doing = ""

    async def stop(self) -> None:
        """End the worker, also in the middle of a fit: what it had not committed never was."""
        self._stopping, process = True, self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), timeout=5)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _become_ready(self) -> None:
        start = Start(settings=self._settings, tasks_file=self._settings.tasks_file)
        await self._say(start.model_dump_json())
        while not isinstance(reply := await self._hear(), Ready):
            if isinstance(reply, Failed):
                await self.stop()
                raise (WorkerNotReadyError if reply.fate == "retry" else StopError)(reply.message)

    @property
    def pid(self) -> int | None:
        """The process id, while it is up."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def up(self) -> bool:
        """Whether the process is there."""
        return self.pid is not None

    def condition(self) -> Condition:
        """What it is at; it is ready once it has loaded its models."""
        not_ready = "" if self.up and self._ready else "the worker process is not ready"
        return Condition(self._doing, self._beat_at, not_ready)

    async def _watch(self, process: Process) -> None:
        """Tell of a worker that ends by itself, also when nobody waits for an answer."""
        status = await process.wait()
        if not self._stopping:
            self._log.error("worker_died", pid=process.pid, status=status, at=self._doing)
            await self._died_then()

    def _begin(self, what: str) -> None:
        self._doing, self._beat_at = what, time.monotonic()

    async def _say(self, line: str) -> None:
        process = self._running()
        if process.stdin is None:
            raise self._died(process)
        try:
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise await self._ended(process) from error

    async def _hear(self) -> Ready | Advanced | Beat | Committed | Failed:
        process = self._running()
        if process.stdout is None:
            raise self._died(process)
        line = await process.stdout.readline()
        self._beat_at = time.monotonic()
        try:
            return REPLY.validate_json(line)
        except ValidationError as error:  # it ended, perhaps in the middle of a line
            raise await self._ended(process) from error

    def _running(self) -> Process:
        if self._process is None:
            msg = "the worker was not started"
            raise WorkerDiedError(msg)
        return self._process

    async def _ended(self, process: Process) -> WorkerDiedError:
        """What to say of a process that has closed its pipes."""
        try:
            # Not killed at once: `kill` would reap what is dead, and with it how it ended.
            await asyncio.wait_for(process.wait(), timeout=ENDED_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        return self._died(process)

    def _died(self, process: Process) -> WorkerDiedError:
        return WorkerDiedError(
            f"the worker process {process.pid} ended with status {process.returncode}; "
            "its log has the reason (status -9: killed, perhaps for memory)"
        )


async def until_ready(worker: WorkerHandle, log: Log) -> None:
    """Start a worker, if it is not up, again and again until it has its models loaded.

    Raises:
        StopError: see `WorkerHandle.start`.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            await worker.start()
        except WorkerNotReadyError as error:
            log.warning("start_retried", error=str(error), pause_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            return
