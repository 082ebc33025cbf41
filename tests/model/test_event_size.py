"""An evaluation event stays small enough for a topic, whatever it measures."""

from datetime import UTC, datetime

import numpy as np

from model.holdout import HoldoutRow
from model.holdout_slices import first_seen, slice_accuracies
from model.metrics import classification_metrics
from schemas.evaluation import Comparison, EvaluationEvent, Outcome, RecordCounts

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def an_event(num_labels: int, *, label_length: int, num_records: int = 4000) -> EvaluationEvent:
    """Of a model that is right half the time and whose errors are spread as wide as they go."""
    rng = np.random.default_rng(0)
    labels = [f"label {number}".ljust(label_length, "x") for number in range(num_labels)]
    truth = rng.integers(0, num_labels, num_records)
    scores = rng.dirichlet(np.full(num_labels, 0.1), num_records)
    scores[np.arange(num_records), truth] += 0.3
    scores /= scores.sum(axis=1, keepdims=True)
    answered = scores.argmax(axis=1)
    right = answered == truth
    metrics = classification_metrics(scores, answered, truth, labels, right_before=right)
    rows = [
        HoldoutRow(
            id=str(number),
            text="",
            label=labels[index],
            part="judge",
            sequence=number % 100,
            event_time=NOW,
            source=f"source {number % 50}",
        )
        for number, index in enumerate(truth)
    ]
    return EvaluationEvent(
        task="news",
        sequence=100,
        kind="increment",
        champion=99,
        windows=(),
        spans=(),
        counts=RecordCounts(),
        prequential_accuracy=None,
        new=Comparison(num_records=0),
        old=Comparison(num_records=0),
        slices=slice_accuracies(
            rows,
            champion_right=right,
            candidate_right=right,
            first_seen=first_seen(rows),
            sequence=100,
        ),
        champion_metrics=metrics,
        candidate_metrics=metrics,
        outcome=Outcome.PROMOTED,
        reason="no worse",
        seconds={},
        last_appended_at=None,
        evaluated_at=NOW,
    )


def test_with_150_labels_it_stays_below_200_kilobytes() -> None:
    """Also where every label has 100 characters."""
    assert len(an_event(150, label_length=100).encode()) < 200_000


def test_with_a_thousand_of_the_longest_labels_it_still_fits_a_kafka_record() -> None:
    assert len(an_event(1000, label_length=200).encode()) < 500_000
