import numpy as np
import pytest

from model.reliability import calibration_error, confidence_bins


def test_bins_hold_the_mean_confidence_and_the_accuracy_of_their_records() -> None:
    """By hand, two bins: 0.5 is in the lower one, as each bin holds its upper edge."""
    bins = confidence_bins(
        np.array([0.4, 0.5, 0.9, 1.0]), np.array([True, False, True, True]), num_bins=2
    )

    assert [held.num_records for held in bins] == [2, 2]
    assert [held.confidence for held in bins] == pytest.approx([0.45, 0.95])
    assert [held.accuracy for held in bins] == [0.5, 1.0]
    assert calibration_error(bins) == pytest.approx((2 * 0.05 + 2 * 0.05) / 4)


def test_bins_without_records_are_left_out() -> None:
    assert len(confidence_bins(np.array([0.0, 1.0]), np.array([False, True]))) == 2


def test_a_model_that_is_right_as_often_as_it_says_has_no_error() -> None:
    bins = confidence_bins(np.full(4, 0.75), np.array([True, True, True, False]))

    assert calibration_error(bins) == pytest.approx(0.0)
    assert calibration_error([]) == 0.0
