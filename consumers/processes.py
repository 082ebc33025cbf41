"""Roles as child processes: started together, watched, stopped in an order, none left behind."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from consumers.guard import signal_group, start_guarded, stop_guarded
from consumers.settings import child_environment
from model.errors import StopError

GRACE_SECONDS = 25.0
"""More than `shutdown_seconds`, so that a role ends by itself."""
LAST_LINES = 15


class RoleFailedError(StopError):
    """A role ended by itself while it was needed."""


class RoleProcess:
    """One role in a session of its own; stdout and stderr go to `log`.

    It dies with the thread that starts it, or with this process (`consumers.guard`).
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        name: str,
        log: Path,
        environment: Mapping[str, str],
        program: Sequence[str] = (sys.executable, "-m", "consumers"),
    ) -> None:
        self.name = name
        self.log = log
        self._command = [*program, *arguments]
        self._environment = child_environment({"PYTHONUNBUFFERED": "1", **environment})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the last start; also the id of its group."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Its exit status once it has ended; minus the signal's number when one killed it."""
        return self._process.poll() if self._process else None

    def start(self) -> Self:
        """Start it, again where it has ended; the log is appended to."""
        if not self.running:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as output:
                self._process = start_guarded(
                    self._command, output=output, environment=self._environment
                )
        return self

    def terminate(self) -> None:
        """Ask it to drain and end, without waiting."""
        if self._process is not None and self.running:
            signal_group(self._process, signal.SIGTERM)

    def wait(self, *, timeout_seconds: float) -> int | None:
        """Wait for its end; None when it still runs after that time."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, *, grace_seconds: float = GRACE_SECONDS) -> int | None:
        """SIGTERM, and after the grace time SIGKILL for it and all that it started."""
        if self._process is None:
            return None
        return stop_guarded(self._process, grace_seconds=grace_seconds)

    def kill(self) -> None:
        """End it and all that it started at once, as a crash would."""
        if self._process is not None:
            signal_group(self._process, signal.SIGKILL)
            self.stop(grace_seconds=0)

    def last_lines(self, count: int = LAST_LINES) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-count:])


class ProcessGroup:
    """Roles that belong together, with one environment and one folder of logs.

    Leaving its `with` block stops all of them, in the order of `stop_order`.
    """

    def __init__(
        self,
        *,
        logs: Path,
        environment: Mapping[str, str],
        stop_order: Sequence[str] = (),
        grace_seconds: float = GRACE_SECONDS,
        program: Sequence[str] = (sys.executable, "-m", "consumers"),
    ) -> None:
        self.roles: dict[str, RoleProcess] = {}
        self._logs = logs
        self._environment = environment
        self._stop_order = tuple(stop_order)
        self._grace_seconds = grace_seconds
        self._program = program

    def start(
        self, *arguments: str, name: str = "", environment: Mapping[str, str] | None = None
    ) -> RoleProcess:
        """Start `python -m consumers ARGUMENTS`, logging to `NAME.log`; the name is the role's."""
        name = name or arguments[0]
        if name in self.roles and self.roles[name].running:
            raise StopError(f"A role named {name} runs already.")
        self.roles[name] = RoleProcess(
            arguments,
            name=name,
            log=self._logs / f"{name}.log",
            environment={**self._environment, **(environment or {})},
            program=self._program,
        )
        return self.roles[name].start()

    def ended(self) -> list[RoleProcess]:
        """The roles that have ended, whatever their status."""
        return [role for role in self.roles.values() if role.exit_status is not None]

    def check(self) -> None:
        """Return when every role runs.

        Raises:
            RoleFailedError: one has ended; its status and the end of its log are in the message.
        """
        for role in self.ended():
            msg = f"The role {role.name} ended with status {role.exit_status}. Its log, {role.log}:"
            raise RoleFailedError(f"{msg}\n{role.last_lines()}")

    def stop_all(self) -> dict[str, int | None]:
        """Stop one role after the other; the exit statuses come back, by name.

        Those that `stop_order` does not name are stopped last, in the order of their start. Ctrl-C
        meanwhile kills what is left at once.
        """
        named = [name for name in self._stop_order if name in self.roles]
        order = [*named, *(name for name in self.roles if name not in named)]
        try:
            return {
                name: self.roles[name].stop(grace_seconds=self._grace_seconds) for name in order
            }
        except BaseException:
            self.kill_all()
            raise

    def kill_all(self) -> None:
        """End every role at once."""
        for role in self.roles.values():
            role.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
