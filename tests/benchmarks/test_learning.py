"""The page of the benchmark of learning, on outcomes made by hand."""

import gzip
import json
import random
from pathlib import Path

import pytest

from benchmarks.learned.page import difference, page
from benchmarks.learned.runs import Outcome
from benchmarks.learned.streams import write_stream
from consumers.backtest.slicing import make_slices


def an_outcome(plan: str, right: list[str], *, seed: int = 0) -> Outcome:
    accuracies = [each.count("1") / len(each) for each in right]
    return Outcome(
        stream="made up",
        seed=seed,
        plan=plan,
        records=3000,
        average_accuracy=sum(accuracies) / len(accuracies),
        forgetting=0.0,
        accuracy_matrix=[accuracies],
        prequential=[None],
        seconds=1.0,
        sample_steps=10,
        forward_passes=20,
        peak_memory_bytes=2**30,
        right=right,
    )


def test_a_difference_is_paired_over_test_records() -> None:
    """By hand: 1 of 4 differs in one of two slices: 12.5 points, and its standard error."""
    ours, theirs = an_outcome("a", ["1110", "1100"]), an_outcome("b", ["1100", "1100"])
    found = difference([ours], [theirs])

    assert found is not None
    mean, over_records, over_seeds = found
    variance = (3 * 0.25**2 + 0.75**2) / 4**2 / 2**2
    assert mean == pytest.approx(12.5)
    assert over_records == pytest.approx(196 * variance**0.5)
    assert over_seeds is None


def test_slices_that_share_a_test_set_make_an_interval_no_narrower() -> None:
    once = difference([an_outcome("a", ["1110"])], [an_outcome("b", ["1100"])])
    shared = difference([an_outcome("a", ["1110"] * 9)], [an_outcome("b", ["1100"] * 9)])

    assert once is not None
    assert shared == pytest.approx(once)


def test_from_two_seeds_on_there_is_an_interval_over_seeds() -> None:
    ours = [an_outcome("a", ["1110"], seed=0), an_outcome("a", ["1111"], seed=1)]
    theirs = [an_outcome("b", ["1100"], seed=seed) for seed in (0, 1, 2)]
    found = difference(ours, theirs)

    assert found is not None
    assert found[0] == pytest.approx(37.5)
    assert found[2] == pytest.approx(12.706 * 12.5, rel=1e-3)  # t at 97.5 %, one degree


def test_seeds_that_are_not_shared_compare_nothing() -> None:
    ours, theirs = an_outcome("a", ["1"], seed=0), an_outcome("b", ["1"], seed=1)

    assert difference([ours], [theirs]) is None


def test_the_page_ranks_plans_and_puts_joint_training_last() -> None:
    outcomes = [an_outcome(name, ["1110"]) for name in ("default", "joint")]
    told = page([*outcomes, an_outcome("naive", ["1000"])]).splitlines()

    rows = [line.split(" | ")[0].strip("| ") for line in told if line.startswith("| ")]
    assert rows == ["plan", "default", "naive", "joint"]


def test_time_slices_of_a_stream_hold_what_was_asked_for(tmp_path: Path) -> None:
    draw = random.Random(0)  # noqa: S311 - a sample, not a secret
    labels = ("very negative", "negative", "neutral", "positive", "very positive")
    rows = [
        {"text": f"review {n}", "label": draw.choice(labels), "task": "y", "split": "train"}
        for n in range(600)
    ]
    with gzip.open(tmp_path / "yelp_reviews5.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)

    made = write_stream("yelp", tmp_path, tmp_path, records=300, seed=1)
    slices = make_slices(made.slicing).slices

    assert made.window == 34
    assert [len(each.train) for each in slices] == [34] * 10
    assert {len(each.test) for each in slices} == {68}
    assert {text.label for each in slices for text in each.train} == {"negative", "positive"}
