"""Waiting for events of other processes, instead of sleeping."""

import contextlib
import os
import select
import time
from collections.abc import Callable


def ends(pid: int, *, timeout_seconds: float = 15.0) -> bool:
    """Whether a process, anybody's child, ends within the time."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            return bool(select.select([handle], [], [], timeout_seconds)[0])
        finally:
            os.close(handle)
    return True


def becomes(condition: Callable[[], bool], *, timeout_seconds: float = 15.0) -> bool:
    """Whether a condition that nothing announces becomes true within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
