"""Guarded children die with their parent and stop with all that they started."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from consumers.guard import start_guarded, stop_guarded
from tests.waiting import becomes, ends

SLEEPS = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "from signal import *; signal(15, SIG_IGN); print('up', flush=True); pause()",
]
WITH_A_CHILD = [
    sys.executable,
    "-c",
    "import subprocess as s; c = s.Popen(['sleep', '600']); print(c.pid, flush=True); c.wait()",
]

PARENT = """
import os, sys, threading
from consumers.guard import start_guarded
def start():
    with open(os.devnull, "wb") as output:
        print(start_guarded(["sleep", "600"], output=output).pid, flush=True)
    if sys.argv[1] == "thread":
        alive.wait()
alive = threading.Event()
if sys.argv[1] == "thread":
    threading.Thread(target=start, daemon=True).start()
else:
    start()
alive.wait()
"""


def started(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        process = start_guarded(command, output=output)
    assert becomes(lambda: log.read_bytes().endswith(b"\n"))
    return process


@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_child_dies_when_its_parent_is_killed_with_9(where: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, where], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not ends(child, timeout_seconds=0)
    parent.kill()
    parent.wait()
    assert ends(child)
    parent.stdout.close()


def test_a_child_started_on_a_thread_outlives_the_thread(tmp_path: Path) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: processes.append(started(SLEEPS, tmp_path / "log")))
    thread.start()
    thread.join()
    assert not ends(processes[0].pid, timeout_seconds=0.2)
    stop_guarded(processes[0], grace_seconds=10)


def test_sigterm_ends_it_and_the_status_says_so(tmp_path: Path) -> None:
    process = started(SLEEPS, tmp_path / "log")
    assert stop_guarded(process, grace_seconds=10) == -signal.SIGTERM


def test_what_ignores_sigterm_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    process = started(STUBBORN, tmp_path / "log")
    assert stop_guarded(process, grace_seconds=0.2) == -signal.SIGKILL


def test_grandchildren_end_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = started(WITH_A_CHILD, log)
    grandchild = int(log.read_bytes())
    stop_guarded(process, grace_seconds=10)
    assert ends(grandchild)


def test_the_exit_status_of_the_command_comes_back(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as output:
        process = start_guarded([sys.executable, "-c", "raise SystemExit(7)"], output=output)
    assert process.wait(10) == 7
