"""What a trial says of a refresh changes the plan of the next one, with the reason in words."""

from typing import Any

from model.config import FeedbackConfig, TaskConfig
from model.feedback import RefreshOutcome, after_trial, next_plan
from model.gain import NOTHING, Gain
from model.plan import Adjustment, Plan
from model.trial import Verdict
from schemas.evaluation import Outcome

CONFIG = TaskConfig()
PAYING = CONFIG.feedback.paying_compute_share
OWN = Plan(promoted_refreshes=1)
SURE = Gain(records=500, wrong=60, gained=40, lost=12)
SMALL = Gain(records=500, wrong=200, gained=50, lost=24)
CHANCE = Gain(records=500, wrong=60, gained=14, lost=12)
LOSS = Gain(records=500, wrong=60, gained=10, lost=30)


def stays(gain: Gain) -> Verdict:
    return Verdict(gain, None, OWN)


def test_a_sure_gain_on_trial_frees_the_budget_and_one_by_chance_takes_it_back() -> None:
    paid = after_trial(OWN, stays(SURE), CONFIG)
    assert paid.compute_share == PAYING
    assert "+28 answers of 500" in paid.changes[0].reason
    assert after_trial(paid, stays(SURE), CONFIG) == paid
    assert after_trial(paid, stays(SMALL), CONFIG) == paid, "beyond chance"
    assert after_trial(OWN, stays(CHANCE), CONFIG) == OWN
    assert after_trial(paid, stays(CHANCE), CONFIG).compute_share is None
    assert after_trial(paid, stays(NOTHING), CONFIG) == paid, "it told nothing"
    off = CONFIG.model_copy(update={"feedback": FeedbackConfig(enabled=False)})
    assert after_trial(OWN, stays(SURE), off) == OWN


def test_what_the_refresh_changed_and_its_trial_can_both_be_read() -> None:
    shorter = Adjustment(field="epochs", before=None, after=1, reason="the refresh")
    both = after_trial(OWN.adjusted(shorter), stays(SURE), CONFIG).changes
    assert [each.field for each in both] == ["epochs", "compute_share"]


def test_a_failed_trial_is_a_rejection_whatever_its_gate_had_said() -> None:
    waiting = Plan(refresh_interval=2, learning_rate_scale=0.5, rejected_in_a_row=1, epochs=1)
    fit: dict[str, Any] = {"new": SURE, "sample_steps": 900.0, "seconds": 9.0, "reason": ""}
    promoted = next_plan(waiting, RefreshOutcome(outcome=Outcome.PROMOTED, **fit), CONFIG)
    assert promoted.refresh_interval == promoted.learning_rate_scale == 1

    gone = after_trial(promoted, Verdict(LOSS, "it lost", waiting), CONFIG)

    rejected = next_plan(
        waiting, RefreshOutcome(outcome=Outcome.REJECTED, **{**fit, "new": LOSS}), CONFIG
    )
    assert gone.model_dump(exclude={"changes"}) == rejected.model_dump(exclude={"changes"})
    assert (gone.refresh_interval, gone.learning_rate_scale) == (4, 0.25)
    assert "rolled back" in gone.changes[0].reason
