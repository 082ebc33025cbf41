"""Ends the process when leaving takes too long: a broker that is gone must not keep a role alive.

Faust joins the consumer's thread without a time limit, and that blocks the event loop as well, so
no timeout inside of the loop can help. A role may be killed at any moment without losing anything
(the log is the state), so that is what happens here, only with a word about it first.
"""

import os
import sys
import threading
from collections.abc import Callable


class Deadline:
    """A thread that ends this process with status 1, unless it is lifted in time.

    Args:
        seconds: how long after `start`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def start(self, say: Callable[[], None]) -> None:
        """Let the time run, once; `say` tells why the process ends, in a thread of its own."""
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, _end, [say])
            self._timer.daemon = True
            self._timer.start()

    def lift(self) -> None:
        """Nothing is left that could hang."""
        if self._timer is not None:
            self._timer.cancel()


def _end(say: Callable[[], None]) -> None:
    try:
        say()
        sys.stderr.flush()
    finally:
        os._exit(1)
