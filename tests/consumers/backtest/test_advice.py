from consumers.backtest.advice import advice
from tests.consumers.backtest.reports import BETTER, CLOSE, WORSE, a_plan, a_report

RIGHT = [True] * 330 + [False] * 70


def test_a_clear_winner_is_taken_whatever_it_costs() -> None:
    assert advice(a_report(better=BETTER, worse=WORSE)).startswith("take better: no plan is better")


def test_of_plans_that_cannot_be_told_apart_the_cheapest_is_taken() -> None:
    """3 of 400 records differ, all to one side: a standard error of 0.43 points for 0.75."""
    said = advice(a_report(better=BETTER, close=CLOSE, worse=WORSE))

    assert said == (
        "take close: better has 0.900 against 0.892, which these test sets cannot tell apart, "
        "and takes 900 sample-steps against 300."
    )


def test_of_plans_that_did_the_same_seconds_choose_none() -> None:
    slow, fast = (a_plan(RIGHT, sample_steps=500, seconds=seconds) for seconds in (9.0, 1.0))

    assert advice(a_report(slow=slow, fast=fast)) == (
        "slow and fast did the same here: right on the same test records with 500 sample-steps "
        "each."
    )


def test_without_a_refresh_the_choice_is_said_to_mean_nothing() -> None:
    plans = {name: a_plan(RIGHT) for name in ("default", "slices")}
    head = a_plan(RIGHT, refreshes=False)

    assert advice(a_report(**plans)) == (
        "default and slices did the same here: right on the same test records with 0 sample-steps "
        "each. No refresh came on these 100 records (refresh.first_after_records is 2,000), so "
        "that the choice between these plans means nothing."
    )
    with_head = advice(a_report(**plans, head=head))
    assert "No refresh of default and slices came on these 100 records" in with_head
    assert with_head.endswith("means nothing.")


def test_a_plan_without_a_refresh_is_told_of_beside_others_and_alone() -> None:
    beside = advice(a_report(default=a_plan(RIGHT), better=BETTER))
    alone = advice(a_report(default=a_plan(RIGHT)))

    assert beside.startswith("take better: ")
    assert "No refresh of default came on these 100 records" in beside
    assert all(said.endswith("what a plan does in one was not tried.") for said in (beside, alone))


def test_plans_that_want_no_refresh_or_whose_refresh_failed_are_not_told_that_none_came() -> None:
    never, failed = a_plan(RIGHT, refreshes=False), a_plan(RIGHT, asked=True)

    assert "refresh" not in advice(a_report(head=never, default=failed))


def test_what_did_the_same_as_the_plan_that_is_taken_is_named() -> None:
    said = advice(a_report(better=BETTER, twin=BETTER, worse=WORSE))

    assert said == (
        "take better: no plan is better, and of equals none takes fewer sample-steps; better and "
        "twin did the same here: right on the same test records with 900 sample-steps each."
    )


def test_a_plan_as_cheap_and_not_told_apart_is_named() -> None:
    close = CLOSE.model_copy(update={"sample_steps": BETTER.sample_steps})

    assert advice(a_report(close=close, better=BETTER)) == (
        "take better: no plan is better, and of equals none takes fewer sample-steps; these test "
        "sets cannot tell it from close, at as many sample-steps."
    )


def test_the_distance_to_joint_training_is_told() -> None:
    joint = a_plan([True] * 368 + [False] * 32)

    said = advice(a_report(joint, better=BETTER, worse=WORSE))

    assert said.endswith(" is 2.0 points short of training on everything at once.")


def test_a_distance_to_joint_training_that_may_be_chance_is_told_as_such() -> None:
    """10 records are better and 4 worse: 1.5 points, with a standard error of 0.93."""
    joint = a_plan([True] * 350 + [False] * 10 + [True] * 4 + [False] * 36)
    for report, who in (
        (a_report(joint, better=BETTER, worse=WORSE), "better is"),
        (a_report(joint, better=BETTER, twin=BETTER), "better and twin are"),
    ):
        assert advice(report).endswith(
            f"{who} 1.5 points above training on everything at once, "
            "which these test sets cannot tell apart."
        )


def test_a_distance_to_joint_training_that_rounds_to_nothing_is_told_as_none() -> None:
    """1 of 4,000 records is 0.025 points."""
    joint = a_plan([True] * 3600 + [False] * 400)
    for right in (3599, 3600, 3601):
        plan = a_plan([True] * right + [False] * (4000 - right))
        said = advice(a_report(joint, better=plan))
        assert said.endswith(" is as good as training on everything at once.")


def test_where_no_plan_ever_served_there_is_nothing_to_choose_and_it_is_said_why() -> None:
    none = a_plan([False] * 400, asked=True)
    [window] = none.windows
    [only] = window.rounds
    reason = only.model_copy(update={"reason": "no judge records"})
    window = window.model_copy(update={"rounds": [reason]})
    none = none.model_copy(update={"windows": [window]})

    assert advice(a_report(head=none, default=none, joint=BETTER)) == (
        "No version was promoted on these 100 records (no judge records): give more of them."
    )
