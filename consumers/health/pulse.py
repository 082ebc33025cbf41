"""Ends the process when its event loop hangs: no timeout inside of the loop could."""

import os
import sys
import threading
from collections.abc import Callable

LOOK_SECONDS = 1.0


class Pulse:
    """A thread that counts the seconds since the loop last gave a sign.

    It counts its own looks and not the clock: a process that was stopped for a while and goes on
    has not hung.

    Args:
        limit_seconds: after so long a silence the process ends with status 1.
        say: called before, in the thread.
    """

    def __init__(self, *, limit_seconds: float, say: Callable[[float], None]) -> None:
        self._limit_seconds, self._say = limit_seconds, say
        self._silent = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="freshet-pulse", daemon=True)

    @property
    def silent_seconds(self) -> float:
        """Since the last beat, as exact as the looks are."""
        return self._silent

    def beat(self) -> None:
        """The loop turns."""
        self._silent = 0.0

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()

    def _run(self) -> None:
        look = min(LOOK_SECONDS, self._limit_seconds / 4)
        while not self._stopped.wait(look):
            self._silent += look
            if self._silent >= self._limit_seconds:
                _end(self._say, self._silent)


def _end(say: Callable[[float], None], seconds: float) -> None:
    try:
        say(seconds)
        sys.stderr.flush()
    finally:
        os._exit(1)
