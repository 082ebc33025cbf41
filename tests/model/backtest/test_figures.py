import pytest

from model.backtest.figures import average_accuracy, forgetting

MATRIX = [
    [0.90, 0.10, 0.00],
    [0.80, 0.70, 0.10],
    [0.85, 0.75, 0.60],
]


def test_average_accuracy_is_the_mean_of_the_last_row() -> None:
    assert average_accuracy(MATRIX) == pytest.approx((0.85 + 0.75 + 0.60) / 3)


def test_forgetting_is_the_best_earlier_accuracy_minus_the_last_without_the_last_slice() -> None:
    """By hand: slice 1 lost 0.05 of 0.90; slice 2 gained 0.05 over 0.70."""
    assert forgetting(MATRIX) == pytest.approx((0.05 - 0.05) / 2)


def test_a_single_row_or_slice_has_forgotten_nothing() -> None:
    assert forgetting([[0.5]]) == 0.0
    assert forgetting([[0.5, 0.4]]) == 0.0
