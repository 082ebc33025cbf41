import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from model.metrics import accuracy, expected_calibration_error, macro_f1, negative_flip_rate


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_macro_f1_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 4, 60), rng.integers(0, 6, 60)
    assert accuracy(predicted, truth) == pytest.approx(accuracy_score(truth, predicted))
    assert macro_f1(predicted, truth) == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_labels_may_be_words() -> None:
    truth, predicted = ["up", "down", "up"], ["up", "up", "up"]
    assert accuracy(predicted, truth) == pytest.approx(2 / 3)
    assert macro_f1(predicted, truth) == pytest.approx((0.8 + 0) / 2)


def test_calibration_error_is_the_weighted_gap_of_each_bin() -> None:
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.4, 0.6], [0.4, 0.6]])
    truth = np.array([0, 1, 1, 1, 1, 0])
    # Two at 0.9 of which half are right, four at 0.6 of which three quarters are.
    assert expected_calibration_error(scores, truth) == pytest.approx((2 * 0.4 + 4 * 0.15) / 6)


def test_opposite_errors_within_one_bin_cancel() -> None:
    scores = np.array([[0.5, 0.5], [0.5, 0.5]])
    assert expected_calibration_error(scores, [0, 1]) == pytest.approx(0.0)


def test_certainty_falls_into_the_last_bin() -> None:
    assert expected_calibration_error(np.eye(3), [0, 1, 1]) == pytest.approx(1 / 3)


def test_negative_flips_count_over_all_records() -> None:
    before, after = [True, True, False, False, True], [True, False, True, False, False]
    assert negative_flip_rate(before, after) == pytest.approx(0.4)


def test_no_records_and_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="no records"):
        accuracy([], [])
    with pytest.raises(ValueError, match="one length"):
        negative_flip_rate([True], [True, False])
