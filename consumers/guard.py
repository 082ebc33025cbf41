"""Start a child process that nobody can leave behind: it dies with its parent, even on kill -9.

This file is also the launcher itself: it is run by its path, needs only the standard library and
becomes (`exec`) the command it was given. On Linux the kernel sends the parent-death signal. That
signal fires when the parent's *thread* ends, so elsewhere, and on a thread that may end before the
process does, the launcher stays in between and watches a pipe that closes when the parent is gone.
What the child starts itself is its own to guard; `stop_guarded` ends that too.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def start_guarded(
    command: Sequence[str | Path],
    *,
    output: IO[bytes],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start `command` in a session of its own, so that Ctrl-C on the terminal does not reach it.

    Args:
        command: program and arguments.
        output: open file that takes stdout and stderr.
        environment: the whole environment of the child; None hands on that of this process.
        folder: where it runs; None stays here.
    """
    by_kernel = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
    watch = ["kernel", str(os.getpid())] if by_kernel else ["pipe", "0"]
    # -I -S: the launcher must not wait for anything that site-packages or the user configured.
    launcher = [sys.executable, "-I", "-S", __file__, *watch, "--"]
    return subprocess.Popen(  # noqa: S603 - the caller's own command, without a shell
        [*launcher, *(str(part) for part in command)],
        stdin=subprocess.DEVNULL if by_kernel else subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=None if environment is None else dict(environment),
        cwd=folder,
        start_new_session=True,
    )


def signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send a signal to a guarded child and to all that it started; nothing when they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def stop_guarded(process: "subprocess.Popen[bytes]", *, grace_seconds: float) -> int:
    """Ask with SIGTERM, insist with SIGKILL after the grace time; the exit status comes back."""
    if process.poll() is None:
        signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
    # Also when the leader went in good order: what it started must not outlive it.
    signal_group(process, signal.SIGKILL)
    status = process.wait()
    if process.stdin is not None:
        process.stdin.close()
    return status


def _become(command: list[str], parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the caller's own command


def _watch(command: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):  # the group's signals are for the child
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    threading.Thread(target=_kill_group_at_end_of, args=(sys.stdin.buffer,), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def _kill_group_at_end_of(pipe: IO[bytes]) -> None:
    os.read(pipe.fileno(), 1)
    os.killpg(0, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Run `[kernel|pipe] PARENT -- COMMAND...` until it ends or the parent does."""
    how, parent, _, *command = arguments
    if how == "kernel":
        _become(command, int(parent))
    return _watch(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
