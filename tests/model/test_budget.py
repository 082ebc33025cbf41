"""A fit keeps to its budget, in sample-steps or in seconds at the speed of the last one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.budget import within_budget
from model.config import FitConfig, RefreshConfig, TaskConfig
from model.methods import methods_of


def config(**refresh: float) -> TaskConfig:
    return TaskConfig(refresh=RefreshConfig.model_validate(refresh))


def test_a_task_without_a_budget_draws_what_is_configured() -> None:
    assert within_budget(config(), speed=10.0) == config()
    assert within_budget(config(budget_seconds=1.0), speed=None) == config(budget_seconds=1.0)


@pytest.mark.parametrize(
    ("budget", "newest"), [({"budget_sample_steps": 1000}, 250), ({"budget_seconds": 20.0}, 250)]
)
def test_a_budget_shrinks_the_newest_records_and_the_sample_with_them(
    budget: dict[str, float], newest: int
) -> None:
    assert within_budget(config(**budget), speed=50.0).refresh.newest_records == newest


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
    )

    bounded = within_budget(asked, speed=speed)

    # One new record with its replay sample is drawn whatever the budget.
    least = 1 + round(share / (1 - share))
    most = max(min(steps, 60.0 * speed) / epochs, least)
    assert methods_of(bounded).draw.budget <= most + 0.5
