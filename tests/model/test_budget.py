"""A fit keeps to its budget: a share of all training, sample-steps, or seconds at a known speed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.budget import left, planned
from model.config import FeedbackConfig, FitConfig, HeadConfig, RefreshConfig, TaskConfig
from model.methods import methods_of
from model.plan import Plan

FREE = FeedbackConfig(enabled=False)


def config(**refresh: Any) -> TaskConfig:
    return TaskConfig(refresh=RefreshConfig(**refresh), feedback=FREE)


def test_a_task_without_a_budget_draws_what_is_configured() -> None:
    assert planned(config(), Plan(fit_speed=10.0), records_seen=1000, error=None) == config()
    seconds = config(budget_seconds=1.0)
    assert planned(seconds, Plan(), records_seen=1000, error=None) == seconds, (
        "no fit was timed yet"
    )


@pytest.mark.parametrize("budget", [{"budget_sample_steps": 1000}, {"budget_seconds": 20.0}])
def test_a_budget_shrinks_the_newest_records_and_the_sample_with_them(
    budget: dict[str, float],
) -> None:
    drawn = planned(config(**budget), Plan(fit_speed=50.0), records_seen=1000, error=None)

    assert drawn.refresh.newest_records == 250


def test_the_first_fit_takes_as_many_records_in_all_as_later_ones_take_new_ones() -> None:
    drawn = planned(TaskConfig(), Plan(), records_seen=1000, error=None)

    assert methods_of(drawn).draw.budget == 500


def test_while_nothing_shows_that_fits_pay_all_of_them_keep_to_a_third_of_all_training() -> None:
    plan, spent = Plan(), 0.0
    for seen in range(1000, 20_001, 500):
        allowed = left(TaskConfig(), plan, records_seen=seen, error=0.05)
        assert allowed is not None
        if allowed >= 500:
            spent += (
                2
                * methods_of(planned(TaskConfig(), plan, records_seen=seen, error=0.05)).draw.budget
            )
            plan = Plan(spent_sample_steps=spent)
        assert seen < 3000 or spent < 2 * seen / 3


def test_after_a_drift_or_a_gain_a_fit_may_cost_more() -> None:
    little = Plan(spent_sample_steps=1000)
    much = Plan(spent_sample_steps=1000, compute_share=0.95)

    assert left(TaskConfig(), little, records_seen=2000, error=None) == pytest.approx(320)
    assert left(TaskConfig(), much, records_seen=2000, error=None) == pytest.approx(2800)


def test_where_the_champion_errs_much_fits_may_cost_more_until_one_is_rejected() -> None:
    spent = Plan(spent_sample_steps=1000)
    rejected = Plan(spent_sample_steps=1000, rejected_in_a_row=1)

    assert left(TaskConfig(), spent, records_seen=2000, error=0.2) == pytest.approx(2800)
    assert left(TaskConfig(), spent, records_seen=2000, error=0.05) == pytest.approx(320)
    assert left(TaskConfig(), rejected, records_seen=2000, error=0.2) == pytest.approx(320)


def test_a_head_that_learns_by_fits_alone_is_not_bounded() -> None:
    softmax = TaskConfig(head=HeadConfig(form="softmax"))

    assert left(softmax, Plan(spent_sample_steps=10_000), records_seen=500, error=None) is None


@given(
    steps=st.integers(4, 5000),
    share=st.floats(0, 0.9),
    epochs=st.integers(1, 4),
    speed=st.floats(1, 1000),
)
def test_no_draw_costs_more_than_the_tighter_of_both_budgets(
    steps: int, share: float, epochs: int, speed: float
) -> None:
    asked = TaskConfig(
        refresh=RefreshConfig(budget_sample_steps=steps, budget_seconds=60.0, replay_share=share),
        fit=FitConfig(epochs=epochs),
        feedback=FREE,
    )

    bounded = planned(asked, Plan(fit_speed=speed), records_seen=1000, error=None)

    # One new record with its replay sample is drawn whatever the budget.
    least = 1 + round(share / (1 - share))
    most = max(min(steps, 60.0 * speed) / epochs, least)
    assert methods_of(bounded).draw.budget <= most + 0.5
