"""Structured logs: every event name stands in one catalogue, so that a typo is a type error."""

import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol, cast

import structlog

LogEvent = Literal[
    "role_started",
    "worker_started",
    "worker_ready",
    "training_progress",
    "training_idle",
    "training_retried",
    "broker_retried",
    "window_failed",
    "task_held",
    "refresh_failed",
    "round_committed",
    "store_pruned",
    "prune_failed",
    "broker_awaited",
    "start_retried",
    "role_stopping",
    "role_stopped",
    "shutdown_cut_short",
    "role_failed",
    "stall_noticed",
    "stall_healed",
    "heal_failed",
    "loop_hangs",
    "health_endpoint",
    "worker_died",
    "assigned",
    "batch_retried",
    "window_closed",
    "command_read",
    "command_refused",
    "control_delayed",
    "revoked",
    "version_swapped",
    "version_refused",
    "task_removed",
    "follow_delayed",
    "follow_ended",
    "waiting_for_model",
]
"""The names of all log events; fields carry the figures."""


CLIENT_SECONDS = 10.0
"""A line of a Kafka client's code is heard once in so long: while a broker is away, it would say so
thirty times a second."""


class Log(Protocol):
    """A structlog logger that takes catalogued events only."""

    def bind(self, **context: Any) -> "Log":
        """A logger that adds `context` to every event."""
        ...

    def debug(self, event: LogEvent, /, **fields: Any) -> None:
        """Of use while looking for a fault."""
        ...

    def info(self, event: LogEvent, /, **fields: Any) -> None:
        """A fact of the normal course."""
        ...

    def warning(self, event: LogEvent, /, **fields: Any) -> None:
        """Something was wrong and was dealt with."""
        ...

    def error(self, event: LogEvent, /, **fields: Any) -> None:
        """Something is wrong and a person should know."""
        ...

    def exception(self, event: LogEvent, /, **fields: Any) -> None:
        """An error with the traceback of the exception in hand."""
        ...


def get_log(**context: Any) -> Log:
    """A logger with its context bound once."""
    return cast("Log", structlog.get_logger("freshet").bind(**context))


def set_up_logging(*, level: str, log_format: str) -> None:
    """Send structlog and the standard library's loggers to stderr in one format."""
    number = logging.getLevelNamesMapping()[level.upper()]
    plain = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if plain
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(OncePerLine(CLIENT_SECONDS))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell of every reconnect; a role's own events come through structlog at `level`.
    root.setLevel(max(number, logging.WARNING))
    logging.getLogger("freshet").setLevel(number)


class OncePerLine(logging.Filter):
    """Passes what a line of a Kafka client's code logs once in so many seconds.

    When it passes again it says how often it did not. Whatever has a traceback passes, and so does
    what others log.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds, self._clock = seconds, clock
        self._heard: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it passes; its message may gain a count."""
        if record.exc_info or record.name.partition(".")[0] not in ("aiokafka", "kafka"):
            return True
        line, now = (record.pathname, record.lineno), self._clock()
        at, left_out = self._heard.get(line, (-math.inf, 0))
        if now - at < self._seconds:
            self._heard[line] = at, left_out + 1
            return False
        self._heard[line] = now, 0
        if left_out:
            record.msg = f"{record.msg} (and {left_out} times since it was last told)"
        return True
