"""What an accuracy matrix says of a stream: average accuracy, forgetting, transfer either way.

R[i, j] is the accuracy on slice j after step i of T; a stream whose steps are its slices has a
square one (Lopez-Paz and Ranzato 2017, section 3). Indices count from 1 in the equations.
"""

from collections.abc import Sequence
from statistics import fmean

Matrix = Sequence[Sequence[float]]


def average_accuracy(matrix: Matrix) -> float:
    """Average accuracy, the mean of the last row: 1/S sum_j R[T, j].

    Lopez-Paz and Ranzato 2017, equation 2, for S slices after the last step T.
    """
    return fmean(matrix[-1])


def forgetting(matrix: Matrix) -> float:
    """How much of its best accuracy each slice has lost at the end, on average.

    1/(S-1) sum_{j<S} (max_{i<T} R[i, j] - R[T, j]), the forgetting measure of Chaudhry et
    al. 2018: over all slices but the last, which nothing came after. Below zero where slices gained
    later; 0 with a single row or slice.
    """
    earlier, last = matrix[:-1], matrix[-1]
    losses = [max(row[j] for row in earlier) - last[j] for j in range(len(last) - 1) if earlier]
    return fmean(losses) if losses else 0.0


def backward_transfer(matrix: Matrix) -> float:
    """What later steps did to what a slice had when it was learned, on average.

    1/(T-1) sum_{j<T} (R[T, j] - R[j, j]), Lopez-Paz and Ranzato 2017, equation 3. Below zero is
    forgetting; unlike `forgetting` it starts from the accuracy right after the slice's own step,
    not from the best. 0 with a single step.

    Raises:
        ValueError: the matrix is not square, so that no step is a slice's own.
    """
    _refuse_unless_square(matrix)
    last = matrix[-1]
    changes = [last[j] - matrix[j][j] for j in range(len(last) - 1)]
    return fmean(changes) if changes else 0.0


def forward_transfer(matrix: Matrix, before: Sequence[float]) -> float:
    """What earlier steps were worth to a slice before it was learned, on average.

    1/(T-1) sum_{j>1} (R[j-1, j] - b[j]), Lopez-Paz and Ranzato 2017, equation 4. 0 with a single
    step.

    Args:
        matrix: R, square.
        before: b, the accuracy (T,) on each slice before the first step: an untrained
            model's there, here 0 where nothing answers yet.

    Raises:
        ValueError: the matrix is not square, or `before` is of another length.
    """
    _refuse_unless_square(matrix)
    if len(before) != len(matrix):
        raise ValueError(f"{len(before)} accuracies before the first of {len(matrix)} steps")
    gains = [matrix[j - 1][j] - before[j] for j in range(1, len(matrix))]
    return fmean(gains) if gains else 0.0


def _refuse_unless_square(matrix: Matrix) -> None:
    widths = {len(row) for row in matrix}
    if widths != {len(matrix)}:
        raise ValueError(f"{len(matrix)} steps on {sorted(widths)} slices: not one step a slice")
