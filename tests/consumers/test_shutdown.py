"""A process ends in time, whatever hangs."""

import subprocess
import sys

HANGS = """
import threading, time
from consumers.shutdown import Deadline
deadline = Deadline(0.2)
deadline.start(lambda: print("late", flush=True))
deadline.start(lambda: print("twice", flush=True))
threading.Thread(target=time.sleep, args=(60,)).start()  # keeps the interpreter from leaving
"""
IN_TIME = """
from consumers.shutdown import Deadline
deadline = Deadline(60)
deadline.start(lambda: print("late"))
deadline.lift()
"""


def ran(program: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=30, capture_output=True, text=True
    )
    return done.returncode, done.stdout


def test_a_process_that_hangs_says_why_and_ends_with_status_1() -> None:
    assert ran(HANGS) == (1, "late\n")


def test_one_that_is_ready_in_time_ends_as_it_would_have() -> None:
    assert ran(IN_TIME) == (0, "")
