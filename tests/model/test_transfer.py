import pytest

from model.transfer import average_accuracy, backward_transfer, forgetting, forward_transfer

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


def test_backward_transfer_is_the_last_accuracy_minus_that_after_the_slices_own_step() -> None:
    """By hand: slice 1 went from 0.90 to 0.85, slice 2 from 0.70 to 0.75."""
    assert backward_transfer(MATRIX) == pytest.approx((-0.05 + 0.05) / 2)
    assert backward_transfer([[0.9, 0.0], [0.5, 0.8]]) == pytest.approx(-0.4)


def test_forward_transfer_is_the_accuracy_just_before_a_slices_step_minus_that_of_nothing() -> None:
    """By hand: 0.10 on slice 2 after step 1, 0.10 on slice 3 after step 2."""
    assert forward_transfer(MATRIX, [0.0, 0.0, 0.0]) == pytest.approx(0.10)
    assert forward_transfer(MATRIX, [0.3, 0.3, 0.2]) == pytest.approx((-0.2 - 0.1) / 2)


def test_a_single_step_transfers_nothing() -> None:
    assert backward_transfer([[0.5]]) == 0.0
    assert forward_transfer([[0.5]], [0.1]) == 0.0


def test_transfer_needs_one_step_a_slice() -> None:
    with pytest.raises(ValueError, match=r"1 steps on \[2\] slices"):
        backward_transfer([[0.5, 0.4]])
    with pytest.raises(ValueError, match="2 accuracies before the first of 3 steps"):
        forward_transfer(MATRIX, [0.0, 0.0])
