"""What came of a refresh changes the next plan: within bounds, and with the reason in words."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from model.config import FeedbackConfig, TaskConfig
from model.feedback import RefreshOutcome, next_plan
from model.gain import NOTHING, Gain
from model.plan import Plan
from schemas.evaluation import Outcome

CONFIG = TaskConfig()
LIMITS = CONFIG.feedback

CLEAR = Gain(records=200, wrong=40, gained=16, lost=4)
"""12 answers, standard error 4.5: 30 % of what was wrong."""
CHANCE = Gain(records=200, wrong=40, gained=9, lost=7)
LOSS = Gain(records=200, wrong=40, gained=4, lost=16)
OWN = Plan(promoted_refreshes=1)


def outcome(new: Gain = NOTHING, old: Gain = NOTHING, **changes: Any) -> RefreshOutcome:
    known: dict[str, Any] = {
        "outcome": Outcome.PROMOTED,
        "reason": "the test says so",
        "new": new,
        "old": old,
        "sample_steps": 2000.0,
    }
    return RefreshOutcome(**{**known, **changes})


def rejected(new: Gain = NOTHING, old: Gain = NOTHING) -> RefreshOutcome:
    return outcome(new, old, outcome=Outcome.REJECTED)


def reason_of(plan: Plan, field: str) -> str:
    return next(change.reason for change in plan.changes if change.field == field)


def test_a_gain_counts_paired_answers() -> None:
    before = np.array([True, True, False, False, False])
    after = np.array([True, False, True, True, False])

    assert Gain.between(before, after) == Gain(records=5, wrong=3, gained=2, lost=1)
    assert Gain.between(before[:0], after[:0]) == NOTHING


def test_a_gain_that_chance_would_give_leaves_the_next_fit_a_small_budget() -> None:
    paying = OWN.model_copy(update={"compute_share": LIMITS.paying_compute_share})

    plan = next_plan(paying, outcome(CHANCE), CONFIG)

    assert (plan.refresh_interval, plan.compute_share) == (1, None)
    assert "+2 answers of 200" in reason_of(plan, "compute_share")


def test_a_small_share_of_the_errors_does_not_pay_however_certain() -> None:
    sure = Gain(records=4000, wrong=800, gained=100, lost=10)

    assert sure.proven
    assert next_plan(OWN, outcome(sure), CONFIG).compute_share is None


def test_a_refresh_that_pays_lets_the_next_cost_more() -> None:
    assert next_plan(OWN, outcome(CLEAR), CONFIG).compute_share == LIMITS.paying_compute_share


def test_the_first_encoder_of_its_own_must_gain_more_than_two_standard_errors() -> None:
    fair = Gain(records=200, wrong=40, gained=12, lost=5)

    assert next_plan(Plan(), outcome(fair), CONFIG).compute_share is None
    assert next_plan(Plan(), outcome(CLEAR), CONFIG).compute_share == LIMITS.paying_compute_share
    assert next_plan(Plan(), outcome(fair), CONFIG).promoted_refreshes == 1


def test_what_all_fits_cost_is_added_up_rejected_ones_too() -> None:
    plan = next_plan(next_plan(Plan(), outcome(CLEAR), CONFIG), rejected(LOSS), CONFIG)

    assert plan.spent_sample_steps == 4000


def test_a_clear_gain_brings_the_interval_back_towards_the_configured_one() -> None:
    waiting = OWN.model_copy(update={"refresh_interval": 4.0})

    once = next_plan(waiting, outcome(Gain(200, 40, 12, 5)), CONFIG)
    twice = next_plan(once, outcome(Gain(200, 40, 12, 5)), CONFIG)
    thrice = next_plan(twice, outcome(Gain(200, 40, 12, 5)), CONFIG)

    assert [p.refresh_interval for p in (once, twice, thrice)] == [2, 1, 1]


def test_only_a_gain_beyond_two_standard_errors_refreshes_sooner_than_configured() -> None:
    assert next_plan(OWN, outcome(Gain(200, 40, 12, 5)), CONFIG).refresh_interval == 1
    assert next_plan(OWN, outcome(Gain(200, 40, 20, 4)), CONFIG).refresh_interval == 0.5


def test_new_and_old_records_are_weighed_together() -> None:
    half = Gain(records=100, wrong=20, gained=6, lost=2)

    assert next_plan(OWN, outcome(half, half), CONFIG).compute_share is not None
    assert next_plan(OWN, outcome(half, LOSS), CONFIG).compute_share is None


def test_a_rejected_refresh_doubles_the_interval_and_halves_the_learning_rate() -> None:
    plan = next_plan(OWN, rejected(LOSS), CONFIG)

    assert (plan.refresh_interval, plan.learning_rate_scale) == (2, 0.5)
    assert plan.frozen_layers is None
    assert "rejected" in reason_of(plan, "learning_rate_scale")


def test_a_second_rejection_in_a_row_freezes_a_layer_and_a_gain_frees_it() -> None:
    once = next_plan(OWN, rejected(LOSS), CONFIG)
    twice = next_plan(once, rejected(LOSS), CONFIG)
    paid = next_plan(twice, outcome(CLEAR), CONFIG)

    assert (once.frozen_layers, twice.frozen_layers, paid.frozen_layers) == (None, 1, 0)
    assert (twice.rejected_in_a_row, paid.rejected_in_a_row) == (2, 0)
    assert "2 refreshes in a row" in reason_of(twice, "frozen_layers")


def test_what_forgot_replays_and_distils_more() -> None:
    plan = next_plan(OWN, rejected(new=CLEAR, old=LOSS), CONFIG)

    assert (plan.replay_share, plan.distillation_weight) == (0.6, 0.5)
    assert "old: -12 answers" in reason_of(plan, "replay_share")


def test_what_gained_on_old_records_alone_replays_and_distils_less() -> None:
    strict = Plan(promoted_refreshes=1, replay_share=0.6, distillation_weight=0.5)

    plan = next_plan(strict, outcome(new=Gain(100, 20, 2, 2), old=CLEAR), CONFIG)

    assert (plan.replay_share, plan.distillation_weight) == (0.5, 0.25)


def test_a_fit_that_loses_everywhere_runs_an_epoch_less() -> None:
    plan = next_plan(OWN, rejected(new=LOSS, old=LOSS), CONFIG)

    assert plan.epochs == 1
    assert next_plan(plan, outcome(CLEAR), CONFIG).epochs == 2


def test_a_fit_that_diverged_takes_smaller_steps_and_one_that_only_failed_does_not() -> None:
    diverged = outcome(outcome=Outcome.FAILED, reason="NotFiniteError: loss nan")
    failed = outcome(outcome=Outcome.FAILED, reason="ParityError: they disagree")

    assert next_plan(OWN, diverged, CONFIG).learning_rate_scale == 0.5
    assert next_plan(OWN, failed, CONFIG).learning_rate_scale == 1
    assert next_plan(OWN, failed, CONFIG).refresh_interval == 2


def test_feedback_that_is_switched_off_changes_nothing_but_the_books() -> None:
    config = TaskConfig(feedback=FeedbackConfig(enabled=False))

    plan = next_plan(OWN, rejected(LOSS, LOSS), config)

    books = {"rejected_in_a_row": 1, "spent_sample_steps": 2000.0}
    assert plan == OWN.model_copy(update=books)


def test_the_speed_of_a_fit_is_kept_for_the_budget_of_the_next() -> None:
    plan = next_plan(OWN, outcome(CLEAR, sample_steps=1000.0, seconds=20.0), CONFIG)

    assert plan.fit_speed == 50
    failed = outcome(outcome=Outcome.FAILED, sample_steps=0.0)
    assert next_plan(plan, failed, CONFIG).fit_speed == 50


def test_a_neutral_plan_leaves_the_configuration_and_another_changes_what_it_names() -> None:
    plan = Plan(
        learning_rate_scale=0.5,
        epochs=3,
        replay_share=0.7,
        frozen_layers=2,
        distillation_weight=0.5,
    )
    applied = plan.applied(CONFIG)

    assert Plan().applied(CONFIG) == CONFIG
    assert applied.fit.learning_rate == CONFIG.fit.learning_rate / 2
    assert (applied.fit.epochs, applied.refresh.replay_share) == (3, 0.7)
    assert applied.fit.frozen_layers == 2
    assert applied.methods.distillation is not None
    assert applied.methods.distillation.weight == 0.5
    assert applied.refresh.every_records == CONFIG.refresh.every_records


def test_old_records_that_cost_new_answers_are_drawn_from_less_far_back() -> None:
    plan, seen = OWN, []
    for _ in range(4):
        plan = next_plan(plan, rejected(new=LOSS, old=CHANCE), CONFIG)
        seen.append(plan.replay_horizon)
    assert seen == [8, 4, 2, 2]
    assert "new: -12 answers of 200" in reason_of(
        next_plan(OWN, rejected(new=LOSS, old=CHANCE), CONFIG), "replay_horizon"
    )
    again, back = plan, []
    for _ in range(3):
        again = next_plan(again, outcome(new=CLEAR, old=LOSS), CONFIG)
        back.append(again.replay_horizon)
    assert back == [4, 8, None]
    assert next_plan(OWN, rejected(new=LOSS, old=LOSS), CONFIG).replay_horizon is None
    assert next_plan(OWN, rejected(new=LOSS), CONFIG).replay_horizon is None, "no old record says"
    without = CONFIG.model_copy(update={"method": "finetune"})
    assert next_plan(OWN, rejected(new=LOSS, old=CHANCE), without).replay_horizon is None
    shorter = CONFIG.refresh.model_copy(
        update={"replay_horizon_records": 6 * CONFIG.refresh.newest_records}
    )
    near = CONFIG.model_copy(update={"refresh": shorter})
    assert next_plan(OWN, rejected(new=LOSS, old=CHANCE), near).replay_horizon == 3


def test_the_shorter_horizon_of_plan_and_configuration_holds() -> None:
    newest = CONFIG.refresh.newest_records
    near = OWN.model_copy(update={"replay_horizon": 2.0})
    bounded = CONFIG.refresh.model_copy(update={"replay_horizon_records": newest + 1})

    assert near.applied(CONFIG).refresh.replay_horizon_records == 2 * newest
    assert OWN.applied(CONFIG).refresh.replay_horizon_records is None
    applied = near.applied(CONFIG.model_copy(update={"refresh": bounded}))
    assert applied.refresh.replay_horizon_records == newest + 1


GAINS = st.builds(
    lambda right, wrong, gained, lost: Gain(
        records=right + wrong, wrong=wrong, gained=min(gained, wrong), lost=min(lost, right)
    ),
    right=st.integers(0, 300),
    wrong=st.integers(0, 100),
    gained=st.integers(0, 100),
    lost=st.integers(0, 100),
)
OUTCOMES = st.builds(
    outcome,
    GAINS,
    GAINS,
    outcome=st.sampled_from([Outcome.PROMOTED, Outcome.REJECTED, Outcome.FAILED]),
)


@given(rounds=st.lists(OUTCOMES, max_size=12))
def test_whatever_happens_a_plan_stays_in_bounds_and_every_change_has_its_reason(
    rounds: list[RefreshOutcome],
) -> None:
    plan = Plan()
    for seen in rounds:
        before, plan = plan, next_plan(plan, seen, CONFIG)
        assert LIMITS.min_refresh_interval <= plan.refresh_interval <= LIMITS.max_refresh_interval
        assert LIMITS.min_learning_rate_scale <= plan.learning_rate_scale <= 1
        assert plan.epochs is None or 1 <= plan.epochs <= CONFIG.fit.epochs
        assert (plan.frozen_layers or 0) <= LIMITS.max_frozen_layers
        horizon = plan.replay_horizon or LIMITS.min_replay_horizon
        assert LIMITS.min_replay_horizon <= horizon <= LIMITS.max_replay_horizon
        assert (plan.distillation_weight or 0) <= LIMITS.max_distillation_weight
        changed = {name for name in type(plan).model_fields if _of(plan, name) != _of(before, name)}
        assert changed - BOOKS == {change.field for change in plan.changes}
        assert all(change.reason for change in plan.changes)
        assert Plan.model_validate_json(plan.model_dump_json()) == plan


BOOKS = {"fit_speed", "spent_sample_steps", "promoted_refreshes", "rejected_in_a_row", "changes"}


def _of(plan: Plan, name: str) -> object:
    return getattr(plan, name)


def test_limits_in_the_wrong_order_are_refused_with_both_values() -> None:
    with pytest.raises(ValidationError, match=r"min_replay_share is 0\.9, more than .* 0\.8"):
        FeedbackConfig(min_replay_share=0.9)
