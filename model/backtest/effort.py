"""What a run costs: seconds, memory, and records through the encoder."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from model.data import Progress


class Peak(Protocol):
    """A watch over the process's memory, which is running while its context is open."""

    @property
    def peak_bytes(self) -> int:
        """The largest footprint seen so far."""
        ...


WatchMemory = Callable[[], AbstractContextManager[Peak]]


class Unwatched:
    """Where nobody measures memory."""

    peak_bytes = 0


def unwatched() -> AbstractContextManager[Peak]:
    """A watch that sees nothing."""
    return nullcontext(Unwatched())


class Tally:
    """Counts the records that recipes say they encode, and hands their progress on.

    Args:
        told: hears everything that this hears.
    """

    def __init__(self, told: Progress) -> None:
        self._told = told
        self.forward_passes = 0

    def __call__(self, stage: str, /, **fields: Any) -> None:
        """Take note of a step."""
        if stage in {"encoding", "recomputing"}:
            self.forward_passes += fields["records"]
        self._told(stage, **fields)
