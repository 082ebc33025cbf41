"""An event loop that hangs ends the process; one that turns does not."""

import subprocess
import sys

HANGS = """
import time
from consumers.health.pulse import Pulse
pulse = Pulse(limit_seconds=0.4, say=lambda seconds: print("hangs", seconds >= 0.4, flush=True))
pulse.start()
time.sleep(60)
"""
TURNS = """
import time
from consumers.health.pulse import Pulse
pulse = Pulse(limit_seconds=20, say=lambda seconds: print("hangs"))
pulse.start()
pulse.beat()
assert pulse.silent_seconds < 20
pulse.stop()
"""


def ran(program: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=60, capture_output=True, text=True
    )
    return done.returncode, done.stdout


def test_a_loop_that_hangs_is_told_of_and_ends_the_process_with_status_1() -> None:
    assert ran(HANGS) == (1, "hangs True\n")


def test_a_loop_that_turns_goes_on() -> None:
    assert ran(TURNS) == (0, "")
