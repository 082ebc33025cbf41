"""A flood of bad records stops the role: by their share, or by so many in a row."""

import pytest

from consumers.flood_guard import FloodError, FloodGuard

HERE, THERE = ("labeled-texts", 0), ("labeled-texts", 1)


def guard(ratio: float = 1.0, records: int = 10, *, in_a_row: int = 0) -> FloodGuard:
    return FloodGuard(ratio, records, in_a_row=in_a_row)


def see_bad(held: FloodGuard, times: int, *, place: tuple[str, int] = HERE) -> None:
    for _ in range(times):
        held.saw_bad(place, why="labeled-texts/0/7: not JSON")


def test_a_flood_is_a_share_over_the_ratio_and_not_at_it() -> None:
    held = guard(0.5)
    for _ in range(5):
        see_bad(held, 1)
        held.saw_good(HERE, 1)
    see_bad(held, 1)  # replaces a bad one: still half
    held.saw_good(HERE, 1)
    with pytest.raises(FloodError, match=r"of the last 10.*flood_ratio = 0\.5"):
        see_bad(held, 10)


def test_fewer_records_than_asked_for_are_no_flood() -> None:
    held = guard(0.1)
    see_bad(held, 9)
    with pytest.raises(FloodError):
        see_bad(held, 1)


def test_bad_records_of_long_ago_do_not_count() -> None:
    held = guard(0.3)
    see_bad(held, 3)
    held.saw_good(HERE, 10)
    see_bad(held, 3)
    with pytest.raises(FloodError, match="4 of the last 10"):
        see_bad(held, 1)


def test_a_run_of_good_records_counts_each() -> None:
    held = guard(0.3)
    see_bad(held, 3)
    held.saw_good(HERE, 6)
    with pytest.raises(FloodError, match="4 of the last 10"):
        see_bad(held, 1)


def test_so_many_bad_records_in_a_row_are_a_flood_whatever_their_share() -> None:
    held = guard(records=1000, in_a_row=3)
    see_bad(held, 3)
    held.saw_good(HERE, 1)
    see_bad(held, 3)
    with pytest.raises(FloodError) as caught:
        see_bad(held, 1)
    assert "4 records in a row of labeled-texts/0" in str(caught.value)
    assert "flood_in_a_row = 3" in str(caught.value)
    assert "the latest fault: labeled-texts/0/7: not JSON" in str(caught.value)
    assert "with FRESHET_FLOOD_IN_A_ROW=0 and FRESHET_FLOOD_RATIO=1 until" in str(caught.value)


def test_good_records_of_another_partition_do_not_hide_a_row() -> None:
    held = guard(records=1000, in_a_row=3)
    for _ in range(3):
        see_bad(held, 1)
        held.saw_good(THERE, 5)
    see_bad(held, 1, place=THERE)
    with pytest.raises(FloodError):
        see_bad(held, 1)


def test_a_partition_that_is_read_again_begins_its_row_anew() -> None:
    """Else a rebalance would make a flood of few bad records."""
    held = guard(records=1000, in_a_row=3)
    see_bad(held, 3)
    held.read_again([HERE])
    see_bad(held, 3)


def test_without_a_limit_no_row_is_too_long() -> None:
    see_bad(guard(records=10), 1000)
