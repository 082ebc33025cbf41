"""The evidence: who was right on which held-out records."""

from datetime import UTC, datetime

import numpy as np

from model.evaluate import recent_from, weigh
from model.holdout import HoldoutRow


def rows(*labels: str, sequences: tuple[int, ...] | None = None) -> list[HoldoutRow]:
    return [
        HoldoutRow(
            id=str(number),
            text=f"text {number}",
            label=label,
            part="judge",
            sequence=sequences[number] if sequences else 0,
            event_time=datetime(2026, 1, 1, tzinfo=UTC),
            source="wire" if number % 2 else None,
        )
        for number, label in enumerate(labels)
    ]


def test_answers_are_paired_on_new_and_on_old_records() -> None:
    evidence = weigh(
        rows("up", "up", "down", sequences=(0, 5, 5)),
        champion=["up", "down", "down"],
        candidate=["down", "up", "down"],
        champion_labels=["up", "down"],
        majority="up",
        recent_from=5,
    )

    assert evidence.old.champion_right.tolist() == [True]
    assert evidence.old.candidate_right.tolist() == [False]
    assert evidence.new.champion_right.tolist() == [False, True]
    assert evidence.new.candidate_right.tolist() == [True, True]


def test_a_label_that_the_champion_never_learned_is_reported_apart() -> None:
    evidence = weigh(
        rows("up", "flat", "flat"),
        champion=["up", "up", "up"],
        candidate=["up", "flat", "up"],
        champion_labels=["up"],
        majority="up",
        recent_from=0,
    )

    assert len(evidence.new.candidate_right) == 1
    assert evidence.metrics == {"new_label_accuracy": 0.5, "new_label_records": 2.0}


def test_without_a_champion_every_record_counts() -> None:
    evidence = weigh(
        rows("up", "down"),
        champion=None,
        candidate=["up", "up"],
        champion_labels=[],
        majority="up",
        recent_from=0,
    )

    np.testing.assert_array_equal(evidence.candidate_right, [True, False])
    np.testing.assert_array_equal(evidence.majority_right, [True, False])
    assert evidence.metrics == {}


def test_new_is_what_the_last_rounds_brought() -> None:
    held = rows("up", "up", "up", "up", sequences=(0, 2, 5, 9))

    assert recent_from(held, 2) == 5
    assert recent_from(held, 10) == 0
    assert recent_from([], 3) == 0
