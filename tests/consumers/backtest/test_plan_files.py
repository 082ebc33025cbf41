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


def test_a_misspelt_setting_of_a_file_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("{fit: {epoch: 2}, methods: {distillation: {wieght: 1}}}", encoding="utf-8")

    with pytest.raises(ConfigError) as told:
        chosen(str(path))
    first, *faults = str(told.value).splitlines()
    assert first == "plan mine cannot work:"
    assert [(fault.split(": ")[0], fault.split("; ")[-1]) for fault in faults] == [
        ("  - fit.epoch", "is epochs meant?"),
        ("  - methods.distillation.wieght", "is weight meant?"),
    ]


@pytest.mark.parametrize("section", ["defaults", "tasks"])
def test_a_file_of_tasks_is_no_plan_and_its_place_is_named(section: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{section}: {{news: {{fit: {{epochs: 2}}}}}}", encoding="utf-8")

    with pytest.raises(ConfigError, match=f"has {section}, as a file for --config.* at top level"):
        chosen(str(path))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"fit: epochs: 2", "not YAML: line 1, column 12: mapping values are not allowed here"),
        (
            b"fit: {epochs: 2\nhead: 1",
            "not YAML: line 2, column 5: while parsing a flow mapping: expected ',' or '}'",
        ),
        (b"fit: \x01", "not YAML: unacceptable character #x0001: "),
        (b"fit: \xff", "not UTF-8: "),
        (b"- fit", "holds no mapping"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    raw: bytes, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(raw)

    with pytest.raises(ConfigError) as told:
        chosen(str(path))
    assert str(told.value).startswith(f"plan {path}: {why}")
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine\.yaml: cannot be read: No such file"):
        chosen(str(tmp_path / "mine.yaml"))
