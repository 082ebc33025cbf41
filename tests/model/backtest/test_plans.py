from typing import Any

import pytest

from model.backtest.plans import (
    DEFAULT_WINDOW,
    PlanOptions,
    known_plans,
    made_plan,
    named_plan,
    overlaid,
)
from model.config import FitConfig, MethodsConfig, TaskConfig
from model.errors import ConfigError

ASKED = PlanOptions(window=300, memory=40)


def test_the_default_plan_is_the_task_s_configuration_with_the_window_that_was_asked_for() -> None:
    config = TaskConfig(fit=FitConfig(epochs=3))
    plan = named_plan("default", config, ASKED)

    assert plan.config == config.model_copy(update={"window": plan.config.window})
    assert plan.config.window.records == 300


@pytest.mark.parametrize("name", ["default", "naive", "replay"])
def test_a_window_is_as_asked_for_else_as_the_task_s_file_says_else_of_500(name: str) -> None:
    left = PlanOptions(memory=40)
    said = TaskConfig.model_validate({"window": {"records": 120}})
    silent = TaskConfig.model_validate({"window": {"max_age_seconds": 60}})
    given = (said, ASKED), (said, left), (silent, left)
    made = [named_plan(name, config, options).config for config, options in given]

    assert [config.window.records for config in made] == [300, 120, DEFAULT_WINDOW]
    assert made[2].window.max_age_seconds == 60
    if name != "default":
        assert [config.refresh.newest_records for config in made] == [300, 120, DEFAULT_WINDOW]


def test_a_plan_may_have_a_window_of_its_own_unless_one_is_asked_for() -> None:
    own = {"window": {"records": 70}}
    said = TaskConfig.model_validate({"window": {"records": 120}})
    made = [made_plan("mine", own, said, options) for options in (PlanOptions(memory=40), ASKED)]

    assert [plan.config.window.records for plan in made] == [70, 300]


def test_head_never_refreshes() -> None:
    assert not named_plan("head", TaskConfig(), ASKED).config.refresh.enabled


def test_an_unknown_plan_is_told_every_known_one() -> None:
    with pytest.raises(ConfigError) as told:
        named_plan("magic", TaskConfig(), ASKED)

    assert all(name in str(told.value) for name in (*known_plans(), "magic"))
    assert "meant" not in str(told.value)


def test_a_misspelt_plan_is_told_the_one_that_is_meant() -> None:
    with pytest.raises(ConfigError, match=r"no plan 'relpay': .*; is replay meant\?$"):
        named_plan("relpay", TaskConfig(), ASKED)


def test_epochs_hold_for_every_plan_also_for_one_that_names_its_own() -> None:
    asked = PlanOptions(window=300, memory=40, epochs=5)

    assert made_plan("mine", {"fit": {"epochs": 9}}, TaskConfig(), asked).config.fit.epochs == 5


def test_a_plan_that_cannot_work_is_told_with_every_fault() -> None:
    faults: dict[str, Any] = {"fit": {"epochs": 0}, "refresh": {"replay_share": 2}}
    with pytest.raises(
        ConfigError,
        match=r"plan mine cannot work:\n.*replay_share: .*less than 1 .it is 2.*\n.*epochs: .*is 0",
    ):
        made_plan("mine", faults, TaskConfig(), ASKED)


def test_layers_are_laid_over_each_other_field_by_field() -> None:
    below, above = {"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "c": {"z": 4}}

    assert overlaid([below, above]) == {"a": {"x": 1, "y": 5}, "b": 3, "c": {"z": 4}}
    assert below == {"a": {"x": 1, "y": 2}, "b": 3}


@pytest.mark.parametrize(("name", "memory"), [("naive", 0), ("replay", 40)])
def test_the_baselines_fit_a_softmax_head_every_window_without_log_or_gate(
    name: str, memory: int
) -> None:
    config = named_plan(name, TaskConfig(), ASKED).config

    assert config.head.form == "softmax"
    assert not config.gate.obey
    assert not config.refresh.read_log
    assert config.replay_memory.records == memory
    assert config.refresh.newest_records == 300
    assert not config.feedback.enabled
    assert not config.monitor.enabled


@pytest.mark.parametrize("name", ["naive", "replay"])
def test_the_baselines_take_learning_rate_batches_and_epochs_of_the_task_and_no_help(
    name: str,
) -> None:
    kept: dict[str, Any] = {"learning_rate": 3e-5, "batch_size": 8, "epochs": 3}
    config = TaskConfig.model_validate(
        {
            "methods": {"distillation": {}, "fusion": {"alphas": [0.5]}},
            "fit": {
                **kept, "frozen_layers": 4, "trained_layers": 2, "lora_rank": 8, "early_stop": 2,
            },
            "refresh": {"budget_sample_steps": 100, "budget_seconds": 3.0},
        }
    )  # fmt: skip
    baseline = named_plan(name, config, ASKED).config

    assert baseline.methods == MethodsConfig()
    assert baseline.fit == FitConfig(**kept)
    assert baseline.refresh.budget_sample_steps is None
    assert baseline.refresh.budget_seconds is None
    assert named_plan("default", config, ASKED).config.methods == config.methods


def test_without_the_log_every_plan_has_the_memory_and_naive_still_none() -> None:
    asked = PlanOptions(window=300, memory=40, no_log=True)
    plans = [named_plan(name, TaskConfig(), asked) for name in ("default", "naive")]

    assert [plan.config.refresh.read_log for plan in plans] == [False, False]
    assert [plan.config.replay_memory.records for plan in plans] == [40, 0]


@pytest.mark.parametrize("name", known_plans())
def test_every_known_plan_is_a_configuration_that_can_work(name: str) -> None:
    assert named_plan(name, TaskConfig(), ASKED).name == name
