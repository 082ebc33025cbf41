"""How much memory a process and all its descendants hold together."""

import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

PROC = Path("/proc")


def memory_of_tree(root: int | None = None) -> int:
    """Bytes held by a process (by default this one) and every descendant, right now.

    On Linux the sum of proportional set sizes: pages that several processes share, such as the
    libraries of torch, count once. Elsewhere the sum of resident sizes, which counts them often.
    """
    table = _linux_parents() if sys.platform == "linux" else _ps_parents()
    children: dict[int, list[int]] = defaultdict(list)
    for pid, (parent, _) in table.items():
        children[parent].append(pid)
    tree = [root or os.getpid()]
    for pid in tree:  # grows while it is read: breadth first
        tree += children[pid]
    return sum(_proportional(pid) if size is None else size for pid, size in _sizes(tree, table))


class PeakMemory:
    """The largest footprint seen at any sample."""

    def __init__(self) -> None:
        self.peak_bytes = 0

    def sample(self) -> int:
        """Measure now."""
        now = memory_of_tree()
        self.peak_bytes = max(self.peak_bytes, now)
        return now

    @contextmanager
    def watching(self, *, every_seconds: float = 1.0) -> Iterator[Self]:
        """Sample on a thread of its own while the body runs, and once at its end."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(every_seconds):
                self.sample()

        watcher = threading.Thread(target=watch, name="peak-memory", daemon=True)
        watcher.start()
        try:
            yield self
        finally:
            self.sample()
            done.set()
            watcher.join()


def _sizes(
    tree: list[int], table: dict[int, tuple[int, int | None]]
) -> Iterator[tuple[int, int | None]]:
    for pid in tree:
        if pid in table:
            yield pid, table[pid][1]


def _linux_parents() -> dict[int, tuple[int, int | None]]:
    table: dict[int, tuple[int, int | None]] = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        # `pid (name) state ppid ...`, and a name may hold brackets and blanks.
        table[int(entry.name)] = (int(stat.rpartition(")")[2].split()[1]), None)
    return table


def _proportional(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _ps_parents() -> dict[int, tuple[int, int | None]]:
    answer = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,rss="],  # noqa: S607 - of the system
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split() for line in answer.stdout.splitlines())
    return {int(pid): (int(parent), int(kib) * 1024) for pid, parent, kib in rows}
