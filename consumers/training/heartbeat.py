"""Says that the worker is at work, also where a stage of it has no news for minutes."""

import threading
import time
from collections.abc import Callable

BEAT_SECONDS = 5.0
LEAST_LOAD = 0.01
"""Share of one core below which a process does nothing; a wait for a lock takes none at all."""


def start_heartbeat(
    beat: Callable[[], None],
    *,
    every_seconds: float = BEAT_SECONDS,
    cpu_seconds: Callable[[], float] = time.process_time,
) -> threading.Event:
    """Call `beat` every few seconds in which the process has computed; the event ends it.

    A worker that hangs computes nothing and is silent, while one in a long fit, or one that waits
    for its GPU, is not. What waits for a store or a broker is silent too, within their timeouts.
    """
    end = threading.Event()

    def run() -> None:
        before = cpu_seconds()
        while not end.wait(every_seconds):
            now = cpu_seconds()
            if now - before >= LEAST_LOAD * every_seconds:
                beat()
            before = now

    threading.Thread(target=run, name="freshet-heartbeat", daemon=True).start()
    return end
