"""The warm child process: reads requests from stdin, learns, answers on stdout.

It stays up between rounds, so that imports, models and the CUDA context are paid for once. It ends
when its stdin ends, which is also what a parent's sudden death looks like from here.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from consumers.settings import Settings
from consumers.telemetry import get_log, set_up_logging
from consumers.training.failures import LineageDamagedError
from consumers.training.heartbeat import start_heartbeat
from consumers.training.messages import (
    REQUEST,
    Advanced,
    Beat,
    Committed,
    Failed,
    GiveUp,
    GiveUpRefresh,
    Learn,
    Ready,
    Refresh,
    Round,
    Start,
    Tip,
)
from consumers.training.span_log import SpanLog
from model.artifacts import ArtifactStore
from model.config import TaskConfig
from model.due import can_refresh
from model.errors import (
    FreshetError,
    RejectError,
    RetryError,
    SpanMismatchError,
    TipMovedError,
)
from model.learner import Learner
from model.lineage_entry import LineageEntry, command_stands
from model.update import WindowRecords
from schemas.evaluation import Outcome
from schemas.window import TrainingWindow


class Worker:
    """Answers requests, one at a time."""

    def __init__(self, settings: Settings, out: TextIO) -> None:
        self._settings = settings
        self._out = out
        self._saying = threading.Lock()
        self._log = SpanLog(settings)
        self._learner = Learner(
            ArtifactStore(settings.store),
            cache=Path(settings.cache).expanduser(),
            device=settings.device,
            threads=settings.threads,
            progress=self._advanced,
        )

    def warm_up(self) -> bool:
        """Load what the first window would wait for; says, and returns, whether it could."""
        try:
            self._learner.warm_up(self._settings.task(""))
        except FreshetError as error:
            self.say(_failed(error))
            return False
        self.say(Ready())
        return True

    def answer(self, line: str) -> None:
        """Do what a request asks and say how it went."""
        request = REQUEST.validate_json(line)
        try:
            self.say(self._done(request))
        except FreshetError as error:
            self.say(_failed(error))

    def say(self, message: Any) -> None:
        """Write one line; from any thread."""
        with self._saying:
            _write(message, self._out)

    def _done(self, request: Tip | Round) -> Committed:
        if isinstance(request, Tip):
            with _readable(request.task):
                found = self._learner.unannounced(request.task)
            return Committed(
                entry=found[-1] if found else None, before=tuple(found[:-1]), refresh_due=None
            )
        config = self._settings.task(request.task)
        with _readable(request.task):
            self._check_announced(request, config)
        if self._too_early(request, config):
            return Committed(entry=None, refresh_due=None, too_early=True)
        # What was given up before the answer got lost is written down already.
        known = isinstance(request, GiveUp) and self._given_up(request, config)
        entry = None if known else self._extended(request, config)
        return Committed(
            entry=entry,
            refresh_due=self._learner.due(request.task, config),
            again=entry is not None and entry.kind == "rollback",
        )

    def _check_announced(self, request: Round, config: TaskConfig) -> None:
        tip = self._learner.state(request.task, config).tip
        sequence = tip.sequence if tip else -1
        if sequence != request.announced:
            msg = f"the tip of {request.task} is {sequence}, announced was {request.announced}"
            raise TipMovedError(msg)

    def _extended(self, request: Round, config: TaskConfig) -> LineageEntry | None:
        task, learner = request.task, self._learner
        match request:
            case Learn():
                waiting = learner.unaccounted(task, request.windows, config)
                if not waiting:
                    return None
                return learner.increment(task, self._read(waiting), config, self._log)
            case Refresh():
                if not self._still_due(request, config):
                    return None  # another worker was faster
                return learner.refresh(task, request.why, self._log, config, erases=request.erases)
            case GiveUp():
                ends = self._log.ends(window.span for window in request.windows)
                return learner.fail(task, request.windows, request.reason, config, ends=ends)
            case GiveUpRefresh():
                return learner.fail_refresh(task, request.reason, config)

    def _given_up(self, request: GiveUp, config: TaskConfig) -> bool:
        tip = self._learner.state(request.task, config).tip
        ids = tuple(window.window_id for window in request.windows)
        return tip is not None and tip.outcome is Outcome.FAILED and tip.windows == ids

    def _too_early(self, request: Round, config: TaskConfig) -> bool:
        commanded = isinstance(request, Refresh) and request.commanded_at is not None
        return commanded and not can_refresh(self._learner.state(request.task, config))

    def _still_due(self, request: Refresh, config: TaskConfig) -> bool:
        if request.commanded_at is None:
            return self._learner.due(request.task, config) is not None
        if request.erases and self._learner.owes_refresh(request.task, config):
            # Read again after a restart, it must not undo a rollback that came since.
            return not self._learner.erased_since(request.task, request.commanded_at)
        tip = self._learner.state(request.task, config).tip
        return command_stands(tip, given_at=request.commanded_at)

    def _read(self, windows: Sequence[TrainingWindow]) -> list[WindowRecords]:
        self._advanced("reading", records=sum(window.num_records for window in windows))
        return [WindowRecords(window, self._checked(window)) for window in windows]

    def _checked(self, window: TrainingWindow) -> list[Any]:
        """The window's records; the log must say what the window said."""
        records = self._log.read(window.task, window.span, strict=True)
        if fault := window.mismatch([record.id for record in records]):
            raise SpanMismatchError(
                f"{fault}; were limits or strict_tasks changed between the roles?"
            )
        return records

    def _advanced(self, stage: str, /, **fields: Any) -> None:
        self.say(Advanced(stage=stage, fields=fields))


@contextmanager
def _readable(task: str) -> Iterator[None]:
    """While a lineage and the files of its tip are read: what is refused there blames no window."""
    try:
        yield
    except RejectError as error:
        msg = f"what {task} has learned so far cannot be read: {error}"
        raise LineageDamagedError(msg) from error


def _write(message: Any, out: TextIO) -> None:
    out.write(message.model_dump_json() + "\n")
    out.flush()


def _failed(error: FreshetError) -> Failed:
    return Failed(
        fate=_fate(error),
        error=type(error).__name__,
        message=str(error),
        tip_moved=isinstance(error, TipMovedError),
    )


def _fate(error: FreshetError) -> Any:
    if isinstance(error, LineageDamagedError):
        return "hold"
    if isinstance(error, RetryError):
        return "retry"
    return "reject" if isinstance(error, RejectError) else "stop"


def _lines(queue: SimpleQueue[str]) -> None:
    """Hand stdin on; when it ends, end at once, also in the middle of a fit."""
    for line in sys.stdin:
        queue.put(line)
    os._exit(0)


def _own_stdout() -> TextIO:
    """Keep stdout for answers: whatever else prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def main() -> None:
    """Serve requests until stdin ends, or say why that cannot be."""
    # Ctrl-C, and what a supervisor sends to the whole group; the parent decides when the child
    # stops, since it may want the end of a round.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    out = _own_stdout()
    queue: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_lines, args=(queue,), daemon=True).start()
    settings = Start.model_validate_json(queue.get()).whole_settings()
    set_up_logging(level=settings.log_level, log_format=settings.log_format)
    log = get_log(role="train", process="worker")
    _cap_threads(settings.threads)
    try:
        worker = Worker(settings, out)
    except FreshetError as error:
        _write(_failed(error), out)
        return
    start_heartbeat(lambda: worker.say(Beat()))
    if worker.warm_up():
        log.info("worker_ready", pid=os.getpid())
    while True:
        worker.answer(queue.get())


def _cap_threads(threads: int) -> None:
    from model.device import cap_threads  # noqa: PLC0415 - after logging is set up

    cap_threads(threads)


if __name__ == "__main__":
    main()
