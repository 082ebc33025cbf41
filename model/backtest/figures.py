"""What a run is worth: average accuracy and forgetting of an accuracy matrix.

Row i of a matrix is the accuracy on every slice after slice i was learned (Lopez-Paz and Ranzato
2017, section 3; forgetting as in Chaudhry et al. 2018, equation 4).
"""

from collections.abc import Sequence
from statistics import fmean

Matrix = Sequence[Sequence[float]]


def average_accuracy(matrix: Matrix) -> float:
    """The mean over slices of the last row."""
    return fmean(matrix[-1])


def forgetting(matrix: Matrix) -> float:
    """How much of its best accuracy each slice has lost at the end, on average.

    The mean over all slices but the last of the largest earlier value in its column minus the last;
    below zero where slices gained later. 0 with a single row or slice.
    """
    earlier, last = matrix[:-1], matrix[-1]
    losses = [max(row[j] for row in earlier) - last[j] for j in range(len(last) - 1) if earlier]
    return fmean(losses) if losses else 0.0
