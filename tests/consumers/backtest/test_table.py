from consumers.backtest.table import advice
from model.backtest.report import BacktestReport, PlanReport, SliceReport, WindowReport


def a_plan(right: list[bool], *, seconds: float) -> PlanReport:
    accuracy = sum(right) / len(right)
    window = WindowReport(
        records=100,
        prequential=None,
        seconds=seconds,
        peak_memory_bytes=1,
        sample_steps=0,
        forward_passes=100,
        rounds=[],
    )
    return PlanReport(
        average_accuracy=accuracy,
        forgetting=0.0,
        accuracy_matrix=[[accuracy]],
        accuracy_before=[0.0],
        prequential=[None],
        seconds=seconds,
        sample_steps=0,
        forward_passes=100,
        peak_memory_bytes=1,
        windows=[window],
        test_right=[right],
        config={},
    )


def a_report(joint: PlanReport | None = None, **plans: PlanReport) -> BacktestReport:
    only = SliceReport(name="a", train_records=100, test_records=400, labels=["x", "y"])
    return BacktestReport(task="t", seed=0, window=100, slices=[only], plans=plans, joint=joint)


BETTER = a_plan([True] * 360 + [False] * 40, seconds=100.0)
CLOSE = a_plan([True] * 357 + [False] * 43, seconds=10.0)
WORSE = a_plan([True] * 280 + [False] * 120, seconds=1.0)


def test_a_clear_winner_is_taken_whatever_it_costs() -> None:
    assert advice(a_report(better=BETTER, worse=WORSE)).startswith("take better: no plan is better")


def test_of_plans_that_cannot_be_told_apart_the_cheapest_is_taken() -> None:
    """3 of 400 records differ, all to one side: a standard error of 0.43 points for 0.75."""
    said = advice(a_report(better=BETTER, close=CLOSE, worse=WORSE))

    assert said.startswith("take close: better has 0.900 against 0.892")


def test_the_distance_to_joint_training_is_told() -> None:
    joint = a_plan([True] * 368 + [False] * 32, seconds=50.0)

    said = advice(a_report(joint, better=BETTER, worse=WORSE))

    assert said.endswith("It is 2.0 points short of training on everything at once.")


def test_a_distance_to_joint_training_that_rounds_to_nothing_is_told_as_none() -> None:
    """1 of 4,000 records is 0.025 points."""
    joint = a_plan([True] * 3600 + [False] * 400, seconds=50.0)
    for right in (3599, 3600, 3601):
        plan = a_plan([True] * right + [False] * (4000 - right), seconds=100.0)
        said = advice(a_report(joint, better=plan))
        assert said.endswith("It is as good as training on everything at once.")
