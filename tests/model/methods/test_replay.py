"""Replay: how many older records, of which labels, and by what chance."""

import pytest

from model.methods.replay import Replay, balanced_sample
from tests.model.methods.test_contract import records


def _count(chosen: object, label: str) -> int:
    return sum(record.label == label for record in chosen)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("share", "older"), [(0.0, 0), (0.2, 5), (0.5, 20), (0.8, 80)])
def test_older_records_have_their_share_of_the_whole(share: float, older: int) -> None:
    chosen = Replay(20, share)(records(500), seed=1)
    assert len(chosen) == 20 + older
    assert sum(record.offset < 480 for record in chosen) == older


def test_fewer_newest_records_bring_fewer_older_ones() -> None:
    """The first window of a task must not be drowned by a budget made for later."""
    assert Replay(20, 0.5)(records(12), seed=1) == tuple(records(12))


def test_labels_share_the_sample_equally() -> None:
    sample = balanced_sample(records(300, "aaaabbc"), 30, seed=1)
    assert [_count(sample, label) for label in "abc"] == [10, 10, 10]


def test_a_rare_label_leaves_its_places_to_the_others() -> None:
    known = records(101, "ab")
    rare = [record for record in known if record.label == "a"] + known[1:4:2]
    sample = balanced_sample(rare, 21, seed=1)
    assert [_count(sample, label) for label in "ab"] == [19, 2]


def test_more_places_than_records_take_every_record() -> None:
    assert balanced_sample(records(7), 50, seed=1) == records(7)


def test_fewer_places_than_labels_are_filled_too() -> None:
    assert len(balanced_sample(records(40, "abcdefgh"), 3, seed=1)) == 3


def test_another_seed_draws_others() -> None:
    first, second = (balanced_sample(records(300), 30, seed=seed) for seed in (1, 2))
    assert first != second


def test_every_record_is_equally_likely() -> None:
    """Over many seeds each of 10 records is drawn half of the time (5 of 10): within 4 sigma."""
    drawn = [0] * 10
    for seed in range(600):
        for record in balanced_sample(records(10, "a"), 5, seed=seed):
            drawn[record.offset] += 1
    assert all(abs(count - 300) < 4 * 12.25 for count in drawn)


def test_a_sample_grows_by_adding() -> None:
    """Smallest hashes first: a larger sample holds the smaller one."""
    small = balanced_sample(records(300), 30, seed=1)
    large = balanced_sample(records(300), 60, seed=1)
    assert set(small) <= set(large)


def test_older_records_come_from_within_the_horizon() -> None:
    chosen = Replay(20, 0.5, horizon_records=30)(records(500), seed=1)
    assert len(chosen) == 40
    assert min(record.offset for record in chosen) >= 450
    assert len(Replay(20, 0.5, horizon_records=5)(records(500), seed=1)) == 25
