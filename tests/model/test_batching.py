"""Batches by length: every text once, within the budget, with little padding."""

from model.batching import batches_by_length


def test_batches_hold_every_index_once_and_keep_to_the_limit() -> None:
    lengths = [5, 1, 9, 3, 3, 12, 7]
    batches = list(batches_by_length(lengths, max_tokens=10))
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[index] for index in batch) * len(batch) <= 10
    assert batches[-1] == [5]


def test_one_long_text_does_not_make_short_ones_long() -> None:
    assert list(batches_by_length([8, 128, 9, 10], max_tokens=8192, max_stretch=1.5)) == [
        [0, 2, 3],
        [1],
    ]


def test_batches_keep_to_the_token_budget_and_hold_every_text_once() -> None:
    lengths = [5, 1, 0, 9, 3, 3, 30, 2]
    batches = list(batches_by_length(lengths, max_tokens=12))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(1, *(lengths[index] for index in batch))
        assert longest * len(batch) <= 12 or len(batch) == 1
    assert len(batches) == 4
