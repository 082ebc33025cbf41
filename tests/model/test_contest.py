"""A refresh tries two plans on half the budget each; the better one goes on, and is remembered."""

from pathlib import Path

import pytest

from model.arms import PLANNED, arms_of, reward
from model.config import FeedbackConfig, HoldoutConfig, RefreshConfig, TaskConfig
from model.contest import contested
from model.data import Record
from model.errors import NotFiniteError
from model.plan import Plan
from model.refit import Refitted, refitted
from schemas.evaluation import Outcome
from tests.model.loop import ALWAYS, Loop, stream

BANDIT = FeedbackConfig(bandit=True)
CONFIG = TaskConfig()
NAMES = {"planned", "half_learning_rate", "more_replay", "frozen_half"}


def test_each_arm_differs_from_the_plan_in_one_thing() -> None:
    arms = arms_of(Plan(), CONFIG, layers=6)

    assert set(arms) == NAMES
    assert arms[PLANNED] == Plan()
    assert arms["half_learning_rate"] == Plan(learning_rate_scale=0.5)
    assert arms["more_replay"] == Plan(replay_share=0.7)
    assert arms["frozen_half"] == Plan(frozen_layers=3)


def test_an_arm_at_its_bound_changes_nothing_and_is_left_out() -> None:
    limits = CONFIG.feedback
    plan = Plan(
        learning_rate_scale=limits.min_learning_rate_scale,
        replay_share=limits.max_replay_share,
        frozen_layers=limits.max_frozen_layers,
    )

    assert set(arms_of(plan, CONFIG, layers=12)) == {PLANNED}
    assert "frozen_half" not in arms_of(Plan(), CONFIG, layers=1)
    finetune = TaskConfig(method="finetune")
    assert "more_replay" not in arms_of(Plan(), finetune, layers=6)


@pytest.mark.parametrize(
    ("after", "steps", "earned"),
    [
        (1.0, 100, 0.5),  # nothing gained
        (0.75, 100, 1.0),  # the whole range
        (1.25, 100, 0.0),
        (0.9, 100, 0.7),
        (0.9, 50, 0.9),  # the same gain at half the price
        (0.1, 100, 1.0),  # beyond the range
        (float("inf"), 0, 0.0),  # diverged
    ],
)
def test_a_reward_is_the_gain_a_sample_step_between_0_and_1(
    after: float, steps: float, earned: float
) -> None:
    limits = FeedbackConfig(bandit_range=0.25)

    assert reward(before=1.0, after=after, steps=steps, budget=100, limits=limits) == pytest.approx(
        earned
    )


@pytest.fixture
def records() -> list[Record]:
    return stream(360)


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]) -> Loop:
    """A task that has learned 300 records, and holds out enough of them for a contest."""
    loop = Loop(
        tmp_path,
        tiny_encoder_folder,
        gate=ALWAYS,
        feedback=BANDIT,
        holdout=HoldoutConfig(share=0.5),
        refresh=RefreshConfig(first_after_records=150, min_records_per_label=5, newest_records=40),
    )
    for start in range(0, 300, 60):
        loop.learn(records[start : start + 60])
    return loop


def test_a_refresh_goes_on_with_the_better_of_two_and_the_lineage_remembers_both(
    loop: Loop, records: list[Record]
) -> None:
    entry = loop.refresh(records)

    metrics, reason = entry.evaluation.metrics, entry.evaluation.reason
    assert entry.outcome is Outcome.PROMOTED, reason
    assert entry.plan is not None
    tried = entry.plan.bandit.arms
    assert len(tried) == 2
    assert set(tried) <= NAMES
    losses = {name: metrics[f"bandit_loss_{name}"] for name in tried}
    won = min(losses, key=lambda name: losses[name])
    assert metrics[f"bandit_won_{won}"] == 1
    assert f"; fitted as {won} (log loss {losses[won]:.3f}" in reason
    for name, arm in tried.items():
        assert (arm.pulls, arm.mean) == (1, metrics[f"bandit_reward_{name}"])
    # One fit would see 40 new and 40 older records once; two of half the size cost no more.
    assert 60 <= metrics["fit_sample_steps"] <= 80

    again = loop.refresh(records)

    assert again.plan is not None
    assert len(again.plan.bandit.arms) == 4, "those that were not tried come first"
    tip = loop.state(loop.new_learner()).tip
    assert tip is not None
    assert tip.plan == again.plan


def test_the_same_seed_tries_the_same_arms_and_gives_the_same_encoder(
    loop: Loop, records: list[Record]
) -> None:
    one, two = (
        contested(loop.state(), records, seed=7, config=loop.config, progress=_silent)
        for _ in range(2)
    )

    assert one.metrics == two.metrics
    assert one.fitted.encoder.digest == two.fitted.encoder.digest


def test_without_the_option_the_fit_is_as_planned(loop: Loop, records: list[Record]) -> None:
    config = loop.config.model_copy(update={"feedback": FeedbackConfig()})

    found = contested(loop.state(), records, seed=7, config=config, progress=_silent)

    planned = refitted(loop.state(), records, seed=7, config=config, progress=_silent)
    assert found.fitted.encoder.digest == planned.encoder.digest
    assert (found.metrics, found.note, found.bandit) == ({}, "", None)


def test_with_too_few_selection_records_there_is_no_contest(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS, feedback=BANDIT)
    loop.learn(records[:60])

    entry = loop.refresh(records)

    assert entry.plan is not None
    assert entry.plan.bandit.arms == {}
    assert "fitted as" not in entry.evaluation.reason


def test_an_arm_that_diverges_loses_and_two_that_do_fail(
    loop: Loop, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[bool] = [False, True]

    def fitting(*arguments: object, **options: object) -> Refitted:
        if fits.pop(0):
            return refitted(*arguments, **options)  # type: ignore[arg-type]
        raise NotFiniteError("the fit diverged")

    monkeypatch.setattr("model.contest.refitted", fitting)
    found = contested(loop.state(), records, seed=7, config=loop.config, progress=_silent)

    assert found.bandit is not None
    assert min(arm.mean for arm in found.bandit.arms.values()) == 0
    assert sum(name.startswith("bandit_loss_") for name in found.metrics) == 2
    fits += [False, False]
    with pytest.raises(NotFiniteError, match="both diverged"):
        contested(loop.state(), records, seed=7, config=loop.config, progress=_silent)


def _silent(_stage: str, /, **_fields: object) -> None:
    pass
