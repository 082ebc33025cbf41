"""A plan of faults says what it means, and is refused where it says nothing."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from model.errors import ConfigError
from tests.faults.plan import (
    VARIABLE,
    ClockJump,
    FaultPlan,
    PointFault,
    StoreFault,
    plan_path,
    read_plan,
    write_plan,
)

CRASH = PointFault(name="crash", point="during_swap", action="crash")
PLAN = FaultPlan(
    points=(CRASH, PointFault(name="wait", point="during_swap", action="slow", seconds=2, nth=3)),
    store=(StoreFault(name="flaky", kind="error", rate=0.2, seed=7, switched=True),),
    clocks=(ClockJump(name="leap", shift_seconds=-3600, after_seconds=5, for_seconds=10),),
)


def test_a_plan_that_was_written_is_read_back_by_whom_the_environment_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in write_plan(tmp_path / "made" / "plan.json", PLAN).items():
        monkeypatch.setenv(name, value)
    path = plan_path()
    assert path == tmp_path / "made" / "plan.json"
    assert read_plan(path) == PLAN


def test_without_the_variable_there_is_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert plan_path() is None


@pytest.mark.parametrize("text", ["", "{", '{"points": [{"name": "x"}]}', '{"unknown": 1}'])
def test_what_is_no_plan_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"FRESHET_FAULTS is '.*plan\.json': "):
        read_plan(path)


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_plan(tmp_path / "plan.json")


def test_only_slow_takes_seconds_and_needs_them() -> None:
    with pytest.raises(ValidationError, match="only slow takes seconds"):
        PointFault(name="x", point="during_swap", action="slow")
    with pytest.raises(ValidationError, match="only slow takes seconds"):
        PointFault(name="x", point="during_swap", action="crash", seconds=1)
    with pytest.raises(ValidationError, match="only slow takes seconds"):
        StoreFault(name="x", kind="full", seconds=1)


def test_two_faults_of_one_name_would_share_their_markers() -> None:
    with pytest.raises(ValidationError, match=r"names must differ.*crash"):
        FaultPlan(points=(CRASH,), store=(StoreFault(name="crash", kind="error"),))


@pytest.mark.parametrize("name", ["", "a/b", "../x", "Ab"])
def test_a_name_is_fit_for_a_file(name: str) -> None:
    with pytest.raises(ValidationError):
        PointFault(name=name, point="during_swap", action="crash")
