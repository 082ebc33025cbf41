"""Memory of a process and its descendants."""

import subprocess
import sys
import threading

from consumers.footprint import PeakMemory, memory_of_tree
from consumers.footprint import _ps_parents as ps_parents

MIB = 1 << 20
# The child holds nothing; its child holds 64 MiB, touched.
HOLDER = "held = bytearray(b'x') * (64 << 20); print('up', flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDER!r}])"


def test_memory_of_grandchildren_counts_and_leaves_when_they_end() -> None:
    before = memory_of_tree()
    peak = PeakMemory()
    child = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    assert peak.sample() - before > 60 * MIB
    child.communicate(b"\n", timeout=10)
    assert memory_of_tree() - before < 30 * MIB
    assert peak.peak_bytes - before > 60 * MIB


def test_the_watcher_samples_while_the_body_runs_and_stops_with_it() -> None:
    with PeakMemory().watching(every_seconds=0.01) as peak:
        held = bytearray(b"x") * (16 * MIB)
        del held
    assert peak.peak_bytes > MIB
    assert "peak-memory" not in {thread.name for thread in threading.enumerate()}


def test_ps_knows_this_process_where_proc_is_absent() -> None:
    import os

    parent, size = ps_parents()[os.getpid()]
    assert parent == os.getppid()
    assert size is not None
    assert size > MIB
