"""The roles of one installation, kept up as an orchestrator would: what ends is started again."""

import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from consumers.processes import RoleProcess
from tests.faults.faulty_role import PROGRAM

RESTART_SECONDS = 1.0
"""After a role has ended by itself."""


class Exit(NamedTuple):
    """A role that ended though nobody had told it to."""

    role: str
    status: int | None
    last_lines: str

    @property
    def reason(self) -> str:
        """The kind of role and what it named as its error."""
        failed = [line for line in self.last_lines.splitlines() if '"role_failed"' in line]
        error = json.loads(failed[-1])["kind"] if failed else f"status {self.status}"
        return f"{self.role.partition('-')[0]}: {error}"


class Crew:
    """Starts roles by their names (`train-1`), and starts again what has ended.

    Args:
        logs: folder of their logs.
        environment: of all roles.
        own: further variables by the role's name.
    """

    def __init__(
        self, *, logs: Path, environment: Mapping[str, str], own: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._logs, self._environment, self._own = logs, environment, own
        self.roles: dict[str, RoleProcess] = {}
        self._leaving: list[RoleProcess] = []
        self._not_before: dict[str, float] = {}
        self._expected: set[str] = set()
        self.starts: Counter[str] = Counter()
        self.exits: list[Exit] = []

    def join(self, name: str) -> None:
        """Start a role, and keep it up from now on."""
        self.roles[name] = RoleProcess(
            [name.partition("-")[0]],
            name=name,
            log=self._logs / f"{name}.log",
            environment={**self._environment, **self._own.get(name, {})},
            program=PROGRAM,
        ).start()
        self.starts[name] += 1

    def leave(self, name: str, *, in_good_order: bool) -> None:
        """End a role for good."""
        role = self.roles.pop(name)
        if in_good_order:
            role.terminate()
            self._leaving.append(role)
        else:
            role.kill()

    def kill(self, name: str, *, down_seconds: float, with_worker: bool) -> None:
        """kill -9; it comes back after so many seconds."""
        self._expect(name, down_seconds)
        role = self.roles[name]
        if with_worker:
            role.kill()
        elif role.running:
            _signal(role.pid, signal.SIGKILL)
            # A worker that was paused with it must run to see that it is alone.
            self._signal_all(name, signal.SIGCONT)

    def terminate(self, name: str, *, down_seconds: float) -> None:
        """SIGTERM; it comes back after so many seconds."""
        self._expect(name, down_seconds)
        self.roles[name].terminate()

    def kill_worker(self, name: str) -> None:
        """kill -9 of the processes that a role has started."""
        role = self.roles[name]
        for pid in children_of(role.pid) if role.running else ():
            _signal(pid, signal.SIGKILL)

    def expect_end(self, name: str) -> None:
        """A fault is armed that may end the role: it is no surprise then."""
        self._expected.add(name)

    def pause(self, name: str) -> None:
        """SIGSTOP for the role and what it has started."""
        self._signal_all(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._signal_all(name, signal.SIGCONT)

    def tick(self) -> None:
        """Start again what has ended and may."""
        now = time.monotonic()
        for name, role in self.roles.items():
            if role.running:
                continue
            if name not in self._not_before:
                self._note(name, role)
                self._not_before[name] = now + RESTART_SECONDS
            if now >= self._not_before[name]:
                del self._not_before[name]
                self._expected.discard(name)
                role.start()
                self.starts[name] += 1

    def stop(self, *, grace_seconds: float = 25.0) -> None:
        """End all in good order; what does not end is killed."""
        everybody = [*self.roles.values(), *self._leaving]
        for name in self.roles:
            self.resume(name)
        for role in everybody:
            role.terminate()
        for role in everybody:
            role.stop(grace_seconds=grace_seconds)

    def kill_all(self) -> None:
        """End all at once."""
        for role in (*self.roles.values(), *self._leaving):
            role.kill()

    def _expect(self, name: str, down_seconds: float) -> None:
        self._expected.add(name)
        self._not_before[name] = time.monotonic() + down_seconds

    def _note(self, name: str, role: RoleProcess) -> None:
        if name not in self._expected:
            self.exits.append(Exit(name, role.exit_status, role.last_lines()))

    def _signal_all(self, name: str, number: signal.Signals) -> None:
        role = self.roles.get(name)
        if role is not None and role.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(role.pid, number)


def children_of(pid: int | None) -> list[int]:
    """The processes that a process has started and that still run."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text().split())
    return found


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
