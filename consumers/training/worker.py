"""The parent's side of the warm worker process."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from pydantic import ValidationError

from consumers.settings import Settings, child_environment
from consumers.telemetry import get_log
from consumers.training.messages import (
    REPLY,
    Advanced,
    Committed,
    Failed,
    Ready,
    Round,
    Start,
    Tip,
)
from model.errors import RetryError, StopError

# A reply carries a lineage entry; one with many labels and slices runs to a megabyte.
_LONGEST_LINE_BYTES = 64 * 2**20
# Threads of torch that wait for each other must not spin: where a core is shared with a broker or
# another role, that costs half of the speed, and on idle cores it gains nothing.
_SHARING = {"OMP_WAIT_POLICY": "PASSIVE"}
REPRODUCIBLE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""cuBLAS is reproducible only where this is set before CUDA starts."""


class WorkerDiedError(RetryError):
    """The worker process ended while it was at work (a crash, or out of memory)."""


class WorkerNotReadyError(RetryError):
    """The worker could not load its models; the next time it may: the store did not answer."""


class WorkerHandle:
    """Starts the worker when it is needed, asks it one thing at a time, and ends it.

    Args:
        settings: handed to the worker as they are.
        advanced: called with each piece of progress; must not block.
    """

    def __init__(self, settings: Settings, advanced: Callable[[Advanced], None]) -> None:
        self._settings = settings
        self._advanced = advanced
        self._process: Process | None = None
        self._log = get_log(role="train")

    async def start(self) -> None:
        """Start the worker, if it is not up, and wait until it is ready.

        Raises:
            WorkerDiedError: it ended before it was; its log says why.
            WorkerNotReadyError: it may go well the next time.
            StopError: it will not, until a person changes something.
        """
        if self._process is not None and self._process.returncode is None:
            return
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "consumers.training.worker_process",
            stdin=PIPE,
            stdout=PIPE,
            limit=_LONGEST_LINE_BYTES,
            env=child_environment({**_SHARING, **REPRODUCIBLE}),
        )
        start = Start(settings=self._settings, tasks_file=self._settings.tasks_file)
        await self._say(start.model_dump_json())
        while not isinstance(reply := await self._hear(), Ready):
            if isinstance(reply, Failed):
                await self.stop()
                raise (WorkerNotReadyError if reply.fate == "retry" else StopError)(reply.message)
        self._log.info("worker_started", pid=self._process.pid)

    async def ask(self, request: Tip | Round) -> Committed | Failed:
        """Send a request and wait for its answer; progress goes to `advanced` meanwhile.

        Raises:
            WorkerDiedError: the worker ended before it answered; the next call starts another.
            WorkerNotReadyError, StopError: another could not be made ready; see `start`.
        """
        await self.start()
        await self._say(request.model_dump_json())
        while True:
            reply = await self._hear()
            if isinstance(reply, Committed | Failed):
                return reply
            if isinstance(reply, Advanced):
                self._advanced(reply)

    async def stop(self) -> None:
        """End the worker, also in the middle of a fit: what it had not committed never was."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), timeout=5)
        except TimeoutError:
            process.kill()
            await process.wait()

    @property
    def pid(self) -> int | None:
        """The process id, while it is up."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def _say(self, line: str) -> None:
        process = self._running()
        if process.stdin is None:
            raise self._died(process)
        try:
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise await self._ended(process) from error

    async def _hear(self) -> Ready | Advanced | Committed | Failed:
        process = self._running()
        if process.stdout is None:
            raise self._died(process)
        line = await process.stdout.readline()
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
        if process.returncode is None:
            process.kill()
            await process.wait()
        return self._died(process)

    def _died(self, process: Process) -> WorkerDiedError:
        return WorkerDiedError(
            f"the worker process {process.pid} ended with status {process.returncode}; "
            "its log has the reason (status -9: killed, perhaps for memory)"
        )
