"""Every figure against scikit-learn or a count by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import (
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from model.metrics import classification_metrics, negative_flip_rate
from schemas.metrics import ClassificationMetrics

Scores = NDArray[np.float64]
Indices = NDArray[np.int64]


def scored(num_records: int, num_labels: int, *, seed: int = 0) -> tuple[Scores, Indices]:
    """Scores that are right more often than not, and ties among them; the true labels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, num_labels, num_records)
    logits = rng.normal(size=(num_records, num_labels)).round(1)
    logits[np.arange(num_records), truth] += 1.5
    scores = np.exp(logits)
    return scores / scores.sum(axis=1, keepdims=True), truth


def measured(scores: Scores, truth: Indices) -> ClassificationMetrics:
    labels = [f"label {number}" for number in range(scores.shape[1])]
    found = classification_metrics(scores, scores.argmax(axis=1), truth, labels)
    assert found is not None
    return found


def test_figures_are_those_of_scikit_learn() -> None:
    scores, truth = scored(300, 5)
    answered = scores.argmax(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, answered, average="macro")

    found = measured(scores, truth)

    assert found.accuracy == pytest.approx((truth == answered).mean())
    assert (found.macro_precision, found.macro_recall, found.macro_f1) == pytest.approx(
        (precision, recall, f1)
    )
    assert found.roc_auc == pytest.approx(roc_auc_score(truth, scores, multi_class="ovr"), abs=1e-6)
    assert scores[np.arange(300), truth].min() > 0.01  # below it a score is cut off
    assert found.log_loss == pytest.approx(log_loss(truth, scores))


def test_each_label_has_its_own_figures() -> None:
    scores, truth = scored(300, 4)
    answered = scores.argmax(axis=1)
    each = precision_recall_fscore_support(truth, answered)

    found = measured(scores, truth).classes

    assert [held.label for held in found] == [f"label {number}" for number in range(4)]
    for number, held in enumerate(found):
        expected = [column[number] for column in each]
        assert [held.precision, held.recall, held.f1, held.num_records] == pytest.approx(
            expected, abs=1e-6
        )
        area = roc_auc_score(truth == number, scores[:, number])
        assert held.roc_auc == pytest.approx(area, abs=1e-6)


def test_the_cells_that_are_not_listed_are_zero() -> None:
    scores, truth = scored(60, 6)
    counts = np.zeros((6, 6), int)

    for row, column, number in measured(scores, truth).confusion:
        counts[row, column] = number

    np.testing.assert_array_equal(counts, confusion_matrix(truth, scores.argmax(axis=1)))


def test_a_label_without_records_weighs_nothing_in_the_macro_means() -> None:
    """By hand: one of two records of label 0 goes to label 2, which has none."""
    scores = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])

    found = measured(scores, np.array([0, 0, 1]))

    assert found.num_labels == 3
    assert found.macro_recall == pytest.approx((0.5 + 1.0) / 2)
    assert found.macro_f1 == pytest.approx((2 / 3 + 1.0) / 2)
    assert [held.roc_auc for held in found.classes] == [0.75, 1.0, None]


def test_with_a_single_label_there_is_no_area() -> None:
    found = measured(np.array([[0.9, 0.1], [0.7, 0.3]]), np.array([0, 0]))

    assert (found.accuracy, found.roc_auc, found.roc_curves) == (1.0, None, ())


def test_without_records_there_are_no_figures() -> None:
    none = np.zeros(0, np.int64)

    assert classification_metrics(np.zeros((0, 2)), none, none, ["a", "b"]) is None


def test_a_negative_flip_was_right_and_is_wrong() -> None:
    before, after = np.array([True, True, False, False]), np.array([True, False, True, False])

    assert negative_flip_rate(before, after) == 0.25
    assert negative_flip_rate(before[:0], after[:0]) == 0.0
