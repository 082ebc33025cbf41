"""Plans and budgets are chosen on the selection half of the holdout, never on the judge half."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from model.gain import NOTHING
from model.head import LinearHead
from model.selection import selection_error, selection_gain
from model.state import TaskState
from tests.model.loop import Loop, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    made = Loop(tmp_path, tiny_encoder_folder)
    records = stream(360)
    for start in range(0, 360, 60):
        made.learn(records[start : start + 60])
    return made


def mute(state: TaskState) -> LinearHead:
    """A head that gives the first label to everything."""
    assert state.head is not None
    bias = np.zeros_like(state.head.bias)
    bias[0] = 1.0
    return replace(state.head, weight=np.zeros_like(state.head.weight), bias=bias)


def test_a_champion_gains_nothing_over_itself(loop: Loop) -> None:
    state = loop.state()
    assert state.head is not None

    new, old = selection_gain(
        state, state.head, candidate_features=state.features, config=loop.config
    )

    rows = state.holdout.part("select")
    assert new.records + old.records == len(rows)
    assert old.records > 0
    assert new.records > 0
    assert (new.net, old.net, new.error, old.error) == (0, 0, 0, 0)


def test_a_gain_is_counted_on_the_selection_half_alone(loop: Loop) -> None:
    state = loop.state()
    head = mute(state)
    assert state.head is not None
    better = replace(state, head=head)
    rows = state.holdout.part("select")
    without_judges = {row.id: state.features[row.id] for row in rows}

    new, old = selection_gain(
        better, state.head, candidate_features=without_judges, config=loop.config
    )

    both = new + old
    answered = state.head.predict(state.holdout_features(rows))
    right = [state.labels[a] == row.label for a, row in zip(answered, rows, strict=True)]
    first = [row.label == state.labels[0] for row in rows]
    assert both.wrong == len(rows) - sum(first)
    assert both.gained == sum(r and not f for r, f in zip(right, first, strict=True))
    assert both.lost == sum(f and not r for r, f in zip(right, first, strict=True))


def test_without_a_champion_nothing_is_gained_and_no_error_known(loop: Loop) -> None:
    state = loop.state()
    assert state.head is not None
    nothing = replace(state, head=None)

    gains = selection_gain(
        nothing, state.head, candidate_features=state.features, config=loop.config
    )

    assert gains == (NOTHING, NOTHING)
    assert selection_error(nothing, loop.config) is None


def test_the_error_is_what_the_selection_records_prove(loop: Loop) -> None:
    state = loop.state()
    rows = state.holdout.part("select")
    wrong = sum(row.label != state.labels[0] for row in rows)

    error = selection_error(replace(state, head=mute(state)), loop.config)

    bounds = binomtest(wrong, len(rows), alternative="greater").proportion_ci(0.9, method="wilson")
    assert error == pytest.approx(bounds.low)
    assert bounds.low < wrong / len(rows)
