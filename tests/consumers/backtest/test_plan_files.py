from pathlib import Path

import pytest

from consumers.backtest.plan_files import chosen_plans
from model.backtest.plans import PlanOptions
from model.config import TaskConfig
from model.errors import ConfigError

ASKED = PlanOptions(window=300, memory=40)


def a_plan(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("fit: {epochs: 3}", encoding="utf-8")
    return str(path)


def chosen(*names: str) -> list[str]:
    return [plan.name for plan in chosen_plans(names, TaskConfig(), ASKED)]


def test_plans_come_in_the_order_in_which_they_were_named(tmp_path: Path) -> None:
    assert chosen("naive", a_plan(tmp_path / "mine.yaml"), "default") == [
        "naive",
        "mine",
        "default",
    ]


def test_a_file_that_is_called_as_joint_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="joint is what --joint is called: rename the file"):
        chosen("default", a_plan(tmp_path / "joint.yaml"))


def test_no_two_plans_have_one_name(tmp_path: Path) -> None:
    first, second = a_plan(tmp_path / "a" / "mine.yaml"), a_plan(tmp_path / "b" / "mine.yml")

    with pytest.raises(ConfigError, match="two plans are called 'mine'"):
        chosen(first, second)
    with pytest.raises(ConfigError, match="two plans are called 'naive'"):
        chosen(a_plan(tmp_path / "naive.yaml"))
    with pytest.raises(ConfigError, match="two plans are called 'naive': name each once"):
        chosen("naive", "default", "naive")
