import numpy as np
import pytest

from model.config import GateConfig
from model.gate import Against, Decision, Paired, decide, decide_first, obeyed

CONFIG = GateConfig()
NOTHING = Paired(np.zeros(0, bool), np.zeros(0, bool))


def paired(gains: int, losses: int, total: int, both_right: float = 0.8) -> Paired:
    same = total - gains - losses
    right = round(same * both_right)
    both = [True] * right + [False] * (same - right)
    champion = np.array([False] * gains + [True] * losses + both)
    candidate = np.array([True] * gains + [False] * losses + both)
    return Paired(champion, candidate)


def verdict(decision: Decision) -> tuple[str, str]:
    return decision.outcome, decision.evidence


def test_no_worse_on_both_sides_is_promoted_with_the_numbers_in_the_reason() -> None:
    decision = decide(paired(30, 10, 500), paired(20, 18, 2000), config=CONFIG)
    assert verdict(decision) == ("promote", "sufficient")
    assert decision.reason.startswith("no worse: new (0.796 vs 0.756, n=500, difference +0.040")
    assert "old (" in decision.reason
    assert decision.new.num_records == 500
    assert decision.new.candidate == pytest.approx(0.796)
    assert decision.new.negative_flip_rate == pytest.approx(0.02)
    assert decision.old.difference_low == pytest.approx(-0.004, abs=1e-3)


def test_worse_on_old_is_rejected_whatever_is_gained_on_new() -> None:
    decision = decide(paired(60, 0, 400), paired(5, 30, 400), config=CONFIG)
    assert verdict(decision) == ("reject", "sufficient")
    assert decision.reason.startswith("worse on old")


def test_a_small_proven_loss_inside_the_margin_is_no_worse() -> None:
    decision = decide(paired(10, 40, 10_000), paired(0, 0, 10_000), config=CONFIG)
    assert decision.new.difference_high is not None
    assert decision.new.difference_high < 0
    assert verdict(decision) == ("promote", "sufficient")


@pytest.mark.parametrize("losses", [0, 1, 2])
def test_one_or_two_flipped_records_never_decide(losses: int) -> None:
    decision = decide(paired(0, losses, 40), paired(0, 0, 40), config=CONFIG)
    assert verdict(decision) == ("promote", "insufficient")
    assert "one as good would lose so many or more with probability" in decision.reason


def test_losing_a_few_more_than_it_gains_is_no_reason_to_reject() -> None:
    # Half of the candidates that are as good as the champion do.
    decision = decide(paired(8, 2, 40), paired(6, 12, 200), config=CONFIG)
    assert verdict(decision) == ("promote", "insufficient")


def test_two_sides_can_point_down_together() -> None:
    decision = decide(paired(3, 11, 200), paired(3, 11, 200), config=CONFIG)
    assert verdict(decision) == ("reject", "insufficient")
    assert "both together" in decision.reason


def test_the_anchor_stops_what_each_parent_would_let_through() -> None:
    beside = paired(5, 25, 300).counts()
    step = (paired(1, 3, 200), paired(2, 4, 300))
    assert decide(*step, config=CONFIG).outcome == "promote"
    decision = decide(*step, config=CONFIG, anchor=Against(7, beside))
    assert verdict(decision) == ("reject", "sufficient")
    assert decision.reason.startswith("worse on what the anchor, version 7, answered: new (")
    assert "n=300, difference -0.067" in decision.reason


def test_a_gate_that_only_looks_on_says_what_it_would_do() -> None:
    looking_on = GateConfig(obey=False)
    decision = decide(paired(60, 0, 400), paired(5, 30, 400), config=looking_on)
    told = obeyed(decision, looking_on)
    assert (decision.outcome, told.outcome) == ("reject", "promote")
    assert told.reason.startswith("would reject: worse on old")
    assert obeyed(decision, CONFIG) is decision


@pytest.mark.parametrize(
    ("setting", "outcome"),
    [("promote", "promote"), ("reject", "reject"), ("promote_unless_worse", "reject")],
)
def test_the_setting_rules_where_the_evidence_does_not_suffice(setting: str, outcome: str) -> None:
    config = GateConfig.model_validate({"insufficient_evidence": setting})
    decision = decide(paired(0, 6, 60), paired(0, 2, 60), config=config)
    assert verdict(decision) == (outcome, "insufficient")


def test_a_side_without_records_is_neutral_and_said_to_be() -> None:
    decision = decide(paired(20, 5, 600), NOTHING, config=CONFIG)
    assert verdict(decision) == ("promote", "sufficient")
    assert decision.reason.endswith("and old (no records)")
    assert decision.old.num_records == 0
    assert decision.old.candidate is None


@pytest.mark.parametrize(("setting", "outcome"), [("reject", "reject"), ("promote", "promote")])
def test_no_records_at_all_are_insufficient_evidence(setting: str, outcome: str) -> None:
    config = GateConfig.model_validate({"insufficient_evidence": setting})
    decision = decide(NOTHING, NOTHING, config=config)
    assert verdict(decision) == (outcome, "insufficient")
    assert decision.reason.startswith("nothing to compare on")


def test_proven_negative_flips_over_the_limit_are_rejected_despite_a_gain() -> None:
    decision = decide(paired(120, 80, 500), NOTHING, config=CONFIG)
    assert verdict(decision) == ("reject", "sufficient")
    assert decision.reason.startswith("80 of 500 records turned from right to wrong")


def test_a_few_negative_flips_among_few_records_prove_nothing() -> None:
    decision = decide(paired(14, 5, 40), NOTHING, config=CONFIG)
    assert decision.new.negative_flip_rate == pytest.approx(0.125)
    assert decision.outcome == "promote"


def test_outcomes_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        Paired(np.zeros(3, bool), np.zeros(4, bool))


def first(candidate: int, majority: int, total: int, *, single_label: bool = False) -> Decision:
    places = np.arange(total)
    return decide_first(places < candidate, places < majority, single_label=single_label)


def test_a_first_version_must_beat_the_most_frequent_label() -> None:
    assert verdict(first(30, 20, 40)) == ("promote", "sufficient")
    assert first(30, 20, 40).reason == (
        "first version beats the most frequent label: 0.750 vs 0.500, n=40"
    )
    assert first(20, 20, 40).outcome == "reject"
    assert first(10, 20, 40).outcome == "reject"
    assert first(30, 20, 40).new.champion is None


def test_with_one_label_a_first_version_need_only_be_as_good() -> None:
    decision = first(40, 40, 40, single_label=True)
    assert decision.outcome == "promote"
    assert "is as good as" in decision.reason


def test_a_first_version_without_judge_records_waits() -> None:
    assert verdict(first(0, 0, 0)) == ("reject", "insufficient")
