"""Tells a fault of one window from a fault that every window would meet."""

from consumers.training.messages import Failed
from model.errors import FreshetError, StopError


class SystemicFaultError(StopError):
    """Windows fail one after the other alike: those that wait would only be lost too."""


class LearningStoppedError(StopError):
    """The worker says that nothing can go well until a person changes something."""


class LineageDamagedError(FreshetError):
    """What a task's lineage stands on cannot be read. No window is to blame: they wait."""


class FailureStreak:
    """Counts windows that fail in a row with the same error, over all tasks.

    Args:
        most: so many may; the next stops the role.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._error, self._number = "", 0

    def learned(self) -> None:
        """A window went well: begin to count anew."""
        self._error, self._number = "", 0

    def failed(self, failed: Failed) -> None:
        """Count a window before it is given up.

        Raises:
            SystemicFaultError: too many failed like this one, which is therefore kept.
        """
        self._number = self._number + 1 if failed.error == self._error else 1
        self._error = failed.error
        if self._number > self._most:
            msg = (
                f"{self._most} windows in a row failed with {failed.error}, and now another: "
                f"{failed.message}. It is kept, and so are all that wait: mend the cause, or set "
                "FRESHET_MAX_FAILED_WINDOWS higher to give them up"
            )
            raise SystemicFaultError(msg)
