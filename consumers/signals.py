"""SIGTERM for commands that stop what they started, as they do on Ctrl-C."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATED_STATUS = 128 + signal.SIGTERM


@contextmanager
def sigterm_unwinds() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that every child is stopped."""

    def unwind(_number: int, _frame: FrameType | None) -> None:
        sys.exit(TERMINATED_STATUS)

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
