"""Reports of made-up plans on one slice of 400 test records."""

from model.backtest.report import (
    BacktestReport,
    PlanReport,
    RoundReport,
    SliceReport,
    WindowReport,
)
from model.config import TaskConfig


def a_plan(
    right: list[bool],
    *,
    seconds: float = 1.0,
    sample_steps: int = 0,
    refreshes: bool = True,
    asked: bool = False,
) -> PlanReport:
    """A plan that answered these records rightly; `asked`: a refresh came, whatever it brought."""
    accuracy = sum(right) / len(right)
    round_ = RoundReport(sequence=1, kind="refresh", outcome="rejected", reason="", seconds={})
    window = WindowReport(
        records=100,
        prequential=None,
        seconds=seconds,
        peak_memory_bytes=1,
        sample_steps=sample_steps,
        forward_passes=100,
        rounds=[round_] if asked or sample_steps else [],
    )
    config = TaskConfig.model_validate(
        {"refresh": {"enabled": refreshes, "first_after_records": 2000}}
    )
    return PlanReport(
        average_accuracy=accuracy,
        forgetting=0.0,
        accuracy_matrix=[[accuracy]],
        accuracy_before=[0.0],
        prequential=[None],
        seconds=seconds,
        sample_steps=sample_steps,
        forward_passes=100,
        peak_memory_bytes=1,
        windows=[window],
        test_right=[right],
        config=config.model_dump(mode="json"),
    )


def a_report(joint: PlanReport | None = None, **plans: PlanReport) -> BacktestReport:
    only = SliceReport(name="a", train_records=100, test_records=400, labels=["x", "y"])
    return BacktestReport(task="t", seed=0, window=100, slices=[only], plans=plans, joint=joint)


BETTER = a_plan([True] * 360 + [False] * 40, sample_steps=900)
CLOSE = a_plan([True] * 357 + [False] * 43, sample_steps=300)
WORSE = a_plan([True] * 280 + [False] * 120, sample_steps=100)
