"""Learning and forgetting, read from entries that a real loop has written."""

from pathlib import Path

import pytest

from model.history import learning, remembering
from model.lineage_entry import LineageEntry
from schemas.evaluation import Comparison, Outcome, SliceAccuracy
from tests.model.loop import Loop, stream
from tests.model.tiny import write_tiny_encoder


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> LineageEntry:
    folder: Path = tmp_path_factory.mktemp("history")
    loop = Loop(folder, write_tiny_encoder(folder / "encoder"))
    loop.learn(stream(60))
    tip = loop.lineage.tip()
    assert tip is not None
    return tip


def a_round(
    entry: LineageEntry, sequence: int, outcome: Outcome, windows: dict[int, tuple[float, float]]
) -> LineageEntry:
    """With accuracy of champion and candidate on the records of each window."""
    compared = Comparison(num_records=9, champion=0.5, candidate=0.7) if windows else None
    evaluation = entry.evaluation.model_copy(
        update={
            "outcome": outcome,
            "new": compared or Comparison(num_records=0),
            "slices": (
                SliceAccuracy(name="label:up", num_records=9, champion=0.1, candidate=0.1),
                *(
                    SliceAccuracy(
                        name=f"window:{window}", num_records=9, champion=before, candidate=after
                    )
                    for window, (before, after) in windows.items()
                ),
            ),
        }
    )
    return entry.model_copy(update={"sequence": sequence, "evaluation": evaluation})


def test_the_matrix_holds_the_accuracy_of_what_served_after_each_round(entry: LineageEntry) -> None:
    rounds = [
        a_round(entry, 0, Outcome.PROMOTED, {0: (0.0, 0.9)}),
        a_round(entry, 1, Outcome.REJECTED, {0: (0.9, 0.2), 1: (0.6, 0.8)}),
        a_round(entry, 2, Outcome.SKIPPED, {}),
        a_round(entry, 3, Outcome.PROMOTED, {0: (0.9, 0.85), 1: (0.6, 0.7), 3: (0.4, 0.5)}),
    ]

    found = remembering(rounds)

    assert (found.rounds, found.windows) == ((0, 1, 3), (0, 1, 3))
    assert found.accuracy == ((0.9, None, None), (0.9, 0.6, None), (0.85, 0.7, 0.5))
    assert found.curve(1) == (None, 0.6, 0.7)


def test_a_learning_curve_follows_what_serves(entry: LineageEntry) -> None:
    found = learning(
        [
            a_round(entry, 0, Outcome.PROMOTED, {0: (0.0, 0.9)}),
            a_round(entry, 1, Outcome.REJECTED, {0: (0.9, 0.2)}),
            a_round(entry, 2, Outcome.SKIPPED, {}),
        ]
    )

    assert found.rounds == (0, 1, 2)
    assert found.new == (0.7, 0.5, None)


def test_a_round_of_the_loop_has_a_slice_of_its_own_and_metrics(entry: LineageEntry) -> None:
    found = entry.evaluation

    assert remembering([entry]).windows == (0,)
    assert found.champion_metrics is None
    assert found.candidate_metrics is not None
    assert found.candidate_metrics.num_records == found.new.num_records + found.old.num_records


def test_entries_of_earlier_versions_have_no_matrix(entry: LineageEntry) -> None:
    assert remembering([a_round(entry, 0, Outcome.SKIPPED, {})]).accuracy == ()
