"""Accuracy slice by slice, and that slices stay few."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from model.holdout import HoldoutRow
from model.holdout_slices import (
    AGES,
    MOST_LABELS,
    MOST_OTHERS,
    MOST_WINDOWS,
    age_of,
    chosen_windows,
    first_seen,
    slice_accuracies,
)
from schemas.evaluation import SliceAccuracy

START = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)


def a_row(number: int, label: str, *, sequence: int = 0, source: str | None = None) -> HoldoutRow:
    return HoldoutRow(
        id=str(number),
        text=f"text {number}",
        label=label,
        part="judge",
        sequence=sequence,
        event_time=START + timedelta(hours=number),
        source=source,
    )


def slices_of(rows: list[HoldoutRow], *, sequence: int = 0) -> dict[str, SliceAccuracy]:
    """With the champion right on none and the candidate on every second."""
    found = slice_accuracies(
        rows,
        champion_right=np.zeros(len(rows), bool),
        candidate_right=np.arange(len(rows)) % 2 == 0,
        first_seen=first_seen(rows),
        sequence=sequence,
    )
    return {each.name: each for each in found}


def test_slices_are_by_label_source_round_month_and_age_of_the_label() -> None:
    rows = [
        a_row(0, "up", sequence=0, source="wire"),
        a_row(1, "up", sequence=6, source="wire"),
        a_row(2, "down", sequence=6),
    ]

    found = slices_of(rows, sequence=6)

    assert {name: (each.num_records, each.candidate) for name, each in found.items()} == {
        "label:down": (1, 1.0),
        "label:up": (2, 0.5),
        "source:wire": (2, 0.5),
        "window:0": (1, 1.0),
        "window:6": (2, 0.5),
        "month:2026-01": (1, 1.0),
        "month:2026-02": (2, 0.5),
        "label-age:0": (1, 1.0),
        "label-age:5-19": (2, 0.5),
    }
    assert {each.champion for each in found.values()} == {0.0}


def test_without_a_champion_slices_have_the_candidate_alone() -> None:
    found = slice_accuracies(
        [a_row(0, "up")],
        champion_right=None,
        candidate_right=np.array([True]),
        first_seen={"up": 0},
        sequence=0,
    )

    assert {each.champion for each in found} == {None}


@pytest.mark.parametrize(
    ("rounds", "name"), [(0, "0"), (1, "1-4"), (4, "1-4"), (5, "5-19"), (19, "5-19"), (20, "20+")]
)
def test_the_age_of_a_label_is_one_of_a_few(rounds: int, name: str) -> None:
    assert age_of(rounds) == name


def test_slices_are_bounded_however_many_labels_sources_and_rounds_there_are() -> None:
    rows = [
        a_row(number * 40, f"label {number}", sequence=number, source=f"source {number}")
        for number in range(1000)
    ]

    found = slices_of(rows, sequence=999)

    assert len(found) == MOST_LABELS + 2 * MOST_OTHERS + MOST_WINDOWS + len(AGES) == 276


def test_older_rounds_that_have_a_slice_keep_it_as_the_history_grows() -> None:
    assert chosen_windows(range(20)) == list(range(20))
    at_100, at_101 = (set(chosen_windows(range(count))) for count in (100, 101))

    assert len(at_100) == MOST_WINDOWS
    assert at_100 >= {0, 32, 64, *range(88, 100)}
    assert len(at_101 - at_100) <= 2
