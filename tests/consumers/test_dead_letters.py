"""Dead letters keep the very bytes; a flood of them stops the role."""

from datetime import UTC, datetime

import pytest

from consumers.dead_letters import FloodError, FloodGuard, dead_letter_of
from schemas.dead_letter import DeadLetter
from tests.consumers.raw import raw

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("value", [b"\xff\x00{", b"", None])
def test_a_dead_letter_keeps_origin_reason_and_bytes(value: bytes | None) -> None:
    letter = dead_letter_of(raw(value, key=None), reason="invalid_json", detail="why", now=NOW)
    read = DeadLetter.decode(letter.encode())
    assert read == letter
    assert (read.topic, read.partition, read.offset) == ("labeled-texts", 0, 7)
    assert (read.reason, read.detail, read.key, read.value) == ("invalid_json", "why", None, value)
    assert read.event_id == "labeled-texts/0/7"


def test_a_flood_is_a_share_over_the_ratio_and_not_at_it() -> None:
    guard = FloodGuard(0.5, 10)
    for bad in [True, False] * 5:
        guard.saw(bad=bad)
    guard.saw(bad=True)  # replaces a bad one: still half
    guard.saw(bad=False)
    with pytest.raises(FloodError, match="of the last 10"):
        _see_bad(guard, 10)


def test_fewer_records_than_asked_for_are_no_flood() -> None:
    guard = FloodGuard(0.1, 10)
    for _ in range(9):
        guard.saw(bad=True)
    with pytest.raises(FloodError):
        guard.saw(bad=True)


def test_bad_records_of_long_ago_do_not_count() -> None:
    guard = FloodGuard(0.3, 10)
    for _ in range(3):
        guard.saw(bad=True)
    for _ in range(10):
        guard.saw(bad=False)
    for _ in range(3):
        guard.saw(bad=True)


def _see_bad(guard: FloodGuard, times: int) -> None:
    for _ in range(times):
        guard.saw(bad=True)
