import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors

from model.errors import ArtifactRefusedError, NotFiniteError
from model.statistics import Statistics

DIM, NUM_LABELS = 7, 3


def batch(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(size, DIM)).astype(np.float32)
    return features, rng.integers(0, NUM_LABELS, size)


def assert_close(left: Statistics, right: Statistics) -> None:
    for name in ("counts", "sums", "gram"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), rtol=0, atol=1e-10)


def test_they_hold_counts_sums_and_the_uncentred_gram_in_float64() -> None:
    features, labels = batch(50)
    stats = Statistics.empty(DIM, NUM_LABELS).add(features, labels)
    wide = features.astype(np.float64)
    np.testing.assert_array_equal(stats.counts, np.bincount(labels, minlength=NUM_LABELS))
    for label in range(NUM_LABELS):
        np.testing.assert_allclose(stats.sums[label], wide[labels == label].sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(stats.gram, sum(np.outer(x, x) for x in wide), atol=1e-12)
    assert {stats.counts.dtype, stats.sums.dtype, stats.gram.dtype} == {np.dtype(np.float64)}
    assert (stats.dim, stats.num_labels, stats.num_records) == (DIM, NUM_LABELS, 50)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=4), order=st.permutations(range(40)))
def test_windows_in_any_order_and_cut_add_up_to_learning_all_at_once(
    cuts: list[int], order: list[int]
) -> None:
    features, labels = batch(40)
    whole = Statistics.of(features, labels, num_labels=NUM_LABELS)
    parts = Statistics.empty(DIM, NUM_LABELS)
    for piece in np.split(np.array(order), sorted(cuts)):
        parts += Statistics.of(features[piece], labels[piece], num_labels=NUM_LABELS)
    assert_close(parts, whole)


def test_a_subtracted_record_is_forgotten() -> None:
    features, labels = batch(60)
    learned = Statistics.empty(DIM, NUM_LABELS).add(features, labels)
    assert_close(
        learned.subtract(features[40:], labels[40:]),
        Statistics.of(features[:40], labels[:40], num_labels=NUM_LABELS),
    )


def test_a_label_of_which_all_is_subtracted_keeps_no_trace() -> None:
    features, labels = batch(60)
    mine = labels == 1
    left = Statistics.of(features, labels, num_labels=NUM_LABELS).subtract(
        features[mine], labels[mine]
    )
    assert left.counts[1] == 0
    assert not left.sums[1].any()
    nothing = left.subtract(features[~mine], labels[~mine])
    assert nothing.num_records == 0
    assert not nothing.gram.any()


def test_more_than_was_added_cannot_be_subtracted() -> None:
    features, labels = batch(5)
    with pytest.raises(ValueError, match="cannot subtract"):
        Statistics.empty(DIM, NUM_LABELS).subtract(features, labels)


def test_a_weight_of_two_counts_as_the_record_twice() -> None:
    features, labels = batch(30)
    weights = np.random.default_rng(1).integers(0, 3, 30)
    weighted = Statistics.empty(DIM, NUM_LABELS).add(features, labels, weights)
    assert_close(
        weighted,
        Statistics.of(
            features.repeat(weights, axis=0), labels.repeat(weights), num_labels=NUM_LABELS
        ),
    )


def test_operations_leave_their_operands_alone() -> None:
    features, labels = batch(10)
    stats = Statistics.of(features, labels, num_labels=NUM_LABELS)
    before = stats.to_bytes()
    stats.add(features, labels)
    stats.subtract(features, labels)
    _ = stats + stats
    assert stats.to_bytes() == before


def test_new_labels_get_room_at_the_end() -> None:
    features, labels = batch(10)
    stats = Statistics.of(features, labels, num_labels=NUM_LABELS)
    grown = stats.with_labels(5)
    assert grown.num_labels == 5
    np.testing.assert_array_equal(grown.counts, [*stats.counts, 0, 0])
    assert grown.num_records == stats.num_records
    with pytest.raises(ValueError, match="only grow"):
        grown.with_labels(3)


def test_merging_extends_the_shorter_label_list() -> None:
    features, labels = batch(10)
    merged = Statistics.empty(DIM, 1) + Statistics.of(features, labels, num_labels=NUM_LABELS)
    assert merged.num_labels == NUM_LABELS
    assert merged.num_records == 10


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused(bad: float) -> None:
    features, labels = batch(4)
    features[2, 3] = bad
    with pytest.raises(NotFiniteError, match="1 of 4"):
        Statistics.empty(DIM, NUM_LABELS).add(features, labels)


@pytest.mark.parametrize("label", [-1, NUM_LABELS])
def test_a_label_out_of_range_is_refused(label: int) -> None:
    features, labels = batch(4)
    labels[0] = label
    with pytest.raises(ValueError, match="labels"):
        Statistics.empty(DIM, NUM_LABELS).add(features, labels)


def test_an_empty_batch_changes_nothing() -> None:
    stats = Statistics.of(*batch(9), num_labels=NUM_LABELS)
    assert_close(stats.add(np.zeros((0, DIM)), np.zeros(0, int)), stats)


def test_bytes_bring_back_the_very_same_numbers_and_hold_half_the_gram() -> None:
    stats = Statistics.of(*batch(50), num_labels=NUM_LABELS)
    raw = stats.to_bytes()
    back = Statistics.from_bytes(raw)
    for name in ("counts", "sums", "gram"):
        np.testing.assert_array_equal(getattr(back, name), getattr(stats, name))
    assert back.to_bytes() == raw
    numbers = NUM_LABELS + NUM_LABELS * DIM + DIM * (DIM + 1) // 2
    assert 0 < len(raw) - 8 * numbers < 300


def test_bytes_of_no_labels_come_back() -> None:
    back = Statistics.from_bytes(Statistics.empty(DIM).to_bytes())
    assert (back.dim, back.num_labels) == (DIM, 0)


@pytest.mark.parametrize("kept", [0, 4, 60, -1])
def test_truncated_bytes_are_refused(kept: int) -> None:
    raw = Statistics.of(*batch(5), num_labels=NUM_LABELS).to_bytes()
    with pytest.raises(ArtifactRefusedError):
        Statistics.from_bytes(raw[:kept])


@pytest.mark.parametrize(
    "tensors",
    [
        {"counts": np.zeros(2)},
        {"counts": np.zeros(2), "sums": np.zeros((3, 2)), "gram_upper": np.zeros(3)},
        {"counts": np.zeros(3), "sums": np.zeros((3, 2)), "gram_upper": np.zeros(4)},
        {"counts": np.zeros(3), "sums": np.zeros(6), "gram_upper": np.zeros(3)},
        {"counts": -np.ones(3), "sums": np.zeros((3, 2)), "gram_upper": np.zeros(3)},
        {"counts": np.zeros(3), "sums": np.full((3, 2), np.nan), "gram_upper": np.zeros(3)},
        {
            "counts": np.zeros(3, np.float32),
            "sums": np.zeros((3, 2), np.float32),
            "gram_upper": np.zeros(3, np.float32),
        },
    ],
)
def test_tensors_that_are_no_statistics_are_refused(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(ArtifactRefusedError):
        Statistics.from_bytes(safetensors.save(tensors))


def test_a_label_that_has_decayed_to_very_little_outlives_the_subtraction_of_another() -> None:
    features, labels = batch(40)
    faded = Statistics.of(features, labels, num_labels=NUM_LABELS).decayed(40.0)
    fresh = faded.add(features[:2], [0, 1])

    left = fresh.subtract(features[:1], [0])

    assert 0 < faded.counts[2] < 1e-9
    assert left.counts[2] == faded.counts[2]
    np.testing.assert_array_equal(left.sums[2], faded.sums[2])
    weights = np.full(40, 2.0**-40)
    assert left.subtract(features[1:2], [1]).subtract(features, labels, weights).num_records == 0
