"""What a round has to choose follows the selection records inside the horizon, and no others.

Most are made twice: with the horizon, and without it, where the records behind it mislead.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.candidate import solve_candidate
from model.choice import Choice
from model.config import (
    FeedbackConfig,
    FitConfig,
    HeadConfig,
    HoldoutConfig,
    MethodsConfig,
    RefreshConfig,
    TaskConfig,
)
from model.contest import contested
from model.data import Record
from model.fit import FitReport, Refitted
from model.head import LinearHead
from model.holdout import HoldoutMemory
from model.horizon import held_out
from model.refit import refitted
from model.state import TaskState
from model.trained_head import calibrated, initial_head
from tests.model.loop import ALWAYS, Loop, stream

HORIZON, WINDOW = 200, 200
RECORDS = stream(5 * WINDOW)
SOFTMAX = {"form": "softmax"}
FIT = FitConfig(epochs=4, batch_size=8, learning_rate=3e-3, head_learning_rate=1e-2)
either_way = pytest.mark.parametrize("horizon", [True, False], ids=["horizon", "no horizon"])


@dataclass(frozen=True)
class Turned:
    """A task whose labels have changed places: most of its selection records mislead by now."""

    state: TaskState
    without_older: TaskState
    """As if what misleads had never been held out."""
    now: LinearHead
    """Answers by the labels as they are; where a fit starts without what misleads."""
    once: LinearHead
    """Answers by the labels as they were: all that misleads it has right."""
    config: TaskConfig

    def under(
        self, *, horizon: bool, head: dict[str, Any] | None = None, **changes: Any
    ) -> TaskConfig:
        """The configuration with or without the horizon, under another head and other sections."""
        records = HORIZON if horizon else None
        settings = {"projection": 0, "horizon_records": records, **(head or {})}
        changes["head"] = HeadConfig.model_validate(settings)
        return self.config.model_copy(update=changes)

    @property
    def learned(self) -> list[Record]:
        """What counts, as a refresh reads it."""
        rows = [row for row in self.state.journal if row.part == "learn"]
        return [RECORDS[row.offset] for row in rows if row.features is not None]

    def fitted(self, *, horizon: bool, **changes: Any) -> Refitted:
        """A fit by the labels as they are, of a champion that answers as once."""
        changes["refresh"] = RefreshConfig(newest_records=HORIZON)
        return refitted(
            replace(self.state, head=self.once),
            self.learned,
            seed=3,
            config=self.under(horizon=horizon, head=SOFTMAX, **changes),
            progress=_silent,
        )


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_folder: Path) -> Turned:
    loop = Loop(
        tmp_path_factory.mktemp("turned"),
        tiny_encoder_folder,
        gate=ALWAYS,
        head=HeadConfig(projection=0, horizon_records=HORIZON),
        holdout=HoldoutConfig(share=0.5),
        refresh=RefreshConfig(enabled=False),
    )
    for start in range(0, len(RECORDS), WINDOW):
        loop.learn(RECORDS[start : start + WINDOW])
    state = loop.state()
    inside = {row.id for row in held_out(state, "select", loop.config.head)}
    older = [row for row in state.holdout.part("select") if row.id not in inside]
    assert 30 <= len(inside) < len(older)
    remaining = state.holdout.remove(row.id for row in older)
    without_older = replace(state, holdout=remaining)
    now = initial_head(without_older, HeadConfig(projection=0))
    assert now is not None
    once = replace(now, weight=np.roll(now.weight, 1, axis=0), bias=np.roll(now.bias, 1))
    answers = once.predict(state.holdout_features(older))
    misleading = [replace(r, label=state.labels[a]) for r, a in zip(older, answers, strict=True)]
    holdout = HoldoutMemory((*remaining.rows, *misleading), capacity=state.holdout.capacity)
    return Turned(replace(state, holdout=holdout), without_older, now, once, loop.config)


@either_way
def test_form_and_penalty_of_a_head_suit_what_is_inside(turned: Turned, *, horizon: bool) -> None:
    """The ridge that serves gives way to a discriminant, and stays where older ones mislead."""
    head = turned.state.head
    assert head is not None
    state = replace(turned.state, head=replace(head, form="ridge", penalty=300.0))
    config = turned.under(horizon=horizon).head

    solved, _right = solve_candidate(state, state.statistics, config=config, keep_form=True)

    chosen = Choice.of(solved)
    assert chosen == (Choice("discriminant", 0.03) if horizon else Choice("ridge", 300.0))


def test_a_candidate_is_credited_with_what_it_has_right_inside(turned: Turned) -> None:
    config, state = turned.under(horizon=True).head, turned.state

    head, right = solve_candidate(state, state.statistics, config=config, keep_form=False)

    rows = turned.without_older.holdout.part("select")
    answers = head.predict(state.holdout_features(rows))
    assert right == sum(state.labels[a] == r.label for a, r in zip(answers, rows, strict=True))


@either_way
def test_of_two_fits_the_one_that_is_better_inside_goes_on(
    turned: Turned, monkeypatch: pytest.MonkeyPatch, *, horizon: bool
) -> None:
    heads = [turned.once, turned.now]
    report = FitReport(100, 100, 10, (1.0,), 1.0)

    def fitting(*_arguments: object, **_options: object) -> Refitted:
        return Refitted(turned.state.encoder, heads.pop(0), report)

    monkeypatch.setattr("model.contest.refitted", fitting)
    config = turned.under(horizon=horizon, feedback=FeedbackConfig(bandit=True))

    found = contested(turned.state, turned.learned, seed=7, config=config, progress=_silent)

    assert not heads, "both were tried"
    assert found.fitted.head is (turned.now if horizon else turned.once)


@either_way
def test_fusion_goes_as_far_as_is_better_inside(turned: Turned, *, horizon: bool) -> None:
    little, whole, found = (
        turned.fitted(
            horizon=horizon,
            fit=FIT,
            methods=MethodsConfig.model_validate({"fusion": {"alphas": alphas}}),
        ).encoder.digest
        for alphas in ((0.01,), (1.0,), (0.01, 1.0))
    )
    assert little != whole
    assert found == (whole if horizon else little)


def test_a_fit_goes_on_while_it_gains_inside(turned: Turned) -> None:
    """It unlearns the labels as they were: by the older records it only gets worse."""
    patient = FIT.model_copy(update={"epochs": 6, "early_stop": 2})

    steps, misled = (
        turned.fitted(horizon=each, fit=patient).report.optimiser_steps for each in (True, False)
    )

    assert misled < steps


def test_the_head_of_a_fit_starts_at_the_scale_that_suits_what_is_inside(turned: Turned) -> None:
    found, misled = (
        initial_head(turned.state, turned.under(horizon=each).head) for each in (True, False)
    )

    assert found is not None
    assert misled is not None
    np.testing.assert_array_equal(found.weight, turned.now.weight)
    assert np.abs(misled.weight).max() < np.abs(found.weight).max() / 2


def test_a_trained_head_is_calibrated_on_what_is_inside(turned: Turned) -> None:
    with_it, without = (turned.under(horizon=each).head for each in (True, False))

    found = calibrated(turned.now, turned.state, with_it).temperature

    assert found == calibrated(turned.now, turned.without_older, without).temperature
    assert found < calibrated(turned.now, turned.state, without).temperature / 2


def _silent(_stage: str, /, **_fields: object) -> None:
    pass
