"""A worker that computes is heard of; one that hangs is silent."""

import threading
from collections.abc import Callable

from consumers.training.heartbeat import start_heartbeat


def beats(load: Callable[[int], float], *, looks: int) -> int:
    """How often it beats within so many looks, when the n-th finds `load(n)` CPU seconds."""
    seen, enough, heard = 0, threading.Event(), 0

    def cpu_seconds() -> float:
        nonlocal seen
        seen += 1
        if seen > looks:
            enough.set()
        return load(min(seen, looks + 1))

    def beat() -> None:
        nonlocal heard
        heard += 1

    end = start_heartbeat(beat, every_seconds=0.01, cpu_seconds=cpu_seconds)
    assert enough.wait(20)
    end.set()
    return heard


def test_a_process_that_computes_beats_at_every_look() -> None:
    assert beats(lambda look: 0.01 * look, looks=5) in {4, 5}


def test_a_process_that_hangs_is_silent() -> None:
    assert beats(lambda _: 1.0, looks=5) == 0
