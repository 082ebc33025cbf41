"""Which failures are one window's own, and which stop the role."""

import pytest

from consumers.training.failures import FailureStreak, SystemicFaultError
from consumers.training.messages import Failed


def fault(error: str) -> Failed:
    return Failed(fate="reject", error=error, message="it does not fit")


def test_the_window_after_so_many_alike_stops_the_role_and_says_what_to_do() -> None:
    streak = FailureStreak(2)
    streak.failed(fault("SpanMismatchError"))
    streak.failed(fault("SpanMismatchError"))
    with pytest.raises(SystemicFaultError, match=r"2 windows .* SpanMismatchError.*does not fit"):
        streak.failed(fault("SpanMismatchError"))


def test_a_window_that_went_well_or_failed_otherwise_begins_the_count_anew() -> None:
    streak = FailureStreak(1)
    streak.failed(fault("ParityError"))
    streak.learned()
    streak.failed(fault("ParityError"))
    streak.failed(fault("SpanDeletedError"))
    streak.failed(fault("ParityError"))
    with pytest.raises(SystemicFaultError):
        streak.failed(fault("ParityError"))
