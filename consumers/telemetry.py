"""Structured logs: every event name stands in one catalogue, so that a typo is a type error."""

import logging
import sys
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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell of every reconnect; a role's own events come through structlog at `level`.
    root.setLevel(max(number, logging.WARNING))
    logging.getLogger("freshet").setLevel(number)
