"""Dead letters keep the very bytes; a flood of them stops the role."""

from datetime import UTC, datetime

import pytest

from consumers.dead_letters import (
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    FloodError,
    FloodGuard,
    dead_letter_of,
)
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


def test_of_a_value_that_cannot_be_published_whole_the_beginning_is_kept() -> None:
    value = b"{" + b"x" * MAX_VALUE_BYTES
    letter = dead_letter_of(raw(value, key=b"k" * 300_000), reason="r", detail="why", now=NOW)
    assert letter.value == value[:-1]
    assert letter.key == b"k" * MAX_KEY_BYTES
    assert letter.detail == (
        "why; here are the first 200000 of the 300000 bytes of its key"
        "; here are the first 11000000 of the 11000001 bytes of its value"
    )
    assert letter.event_id == "labeled-texts/0/7"


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


def test_a_run_of_good_records_counts_each() -> None:
    guard = FloodGuard(0.3, 10)
    _see_bad(guard, 3)
    guard.saw_good(6)
    with pytest.raises(FloodError, match="4 of the last 10"):
        guard.saw(bad=True)
    guard.saw_good(10)
    _see_bad(guard, 3)


def _see_bad(guard: FloodGuard, times: int) -> None:
    for _ in range(times):
        guard.saw(bad=True)
