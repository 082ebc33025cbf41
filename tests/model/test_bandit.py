"""The bandit finds the better arm, by chance from the seed alone, and its state travels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from model.bandit import Arm, Bandit

ARMS = ("as planned", "half learning rate", "more replay", "frozen half")


def test_arms_that_were_never_pulled_come_first() -> None:
    bandit = Bandit(arms={"as planned": Arm(pulls=1, mean=1.0)})

    pulled = bandit.chosen(ARMS, count=3, seed=1)

    assert set(pulled) == set(ARMS[1:])


def test_the_arm_of_the_largest_upper_bound_is_pulled() -> None:
    bandit = Bandit(arms={"a": Arm(pulls=8, mean=0.6), "b": Arm(pulls=2, mean=0.3)})
    bounds = {
        "a": 0.6 + math.sqrt(2 * math.log(10) / 8),
        "b": 0.3 + math.sqrt(2 * math.log(10) / 2),
    }

    assert bandit.chosen(("a", "b"), count=1, seed=0) == (max(bounds, key=lambda n: bounds[n]),)
    assert bandit.chosen(("a", "b"), count=2, seed=0) == ("b", "a")


def test_a_mean_is_that_of_all_rewards() -> None:
    bandit = Bandit()
    for reward in (0.2, 0.9, 0.4):
        bandit = bandit.rewarded({"a": reward})

    assert bandit.arms["a"].pulls == 3
    assert bandit.arms["a"].mean == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_the_better_arm_is_pulled_more_and_more_often(seed: int) -> None:
    chance = np.random.default_rng(seed)
    expected = dict(zip(ARMS, (0.3, 0.4, 0.8, 0.35), strict=True))
    bandit, pulled = Bandit(), []
    for number in range(600):
        [name] = bandit.chosen(ARMS, count=1, seed=number)
        pulled.append(name)
        bandit = bandit.rewarded({name: float(chance.random() < expected[name])})

    # Auer et al. 2002, theorem 1: an arm that is worse by d is pulled no more than
    # (8 ln n) / d^2 + 1 + pi^2 / 3 times, on average.
    for name in set(ARMS) - {"more replay"}:
        gap = expected["more replay"] - expected[name]
        bound = 8 * math.log(600) / gap**2 + 1 + math.pi**2 / 3
        assert pulled.count(name) < bound
    assert pulled[-200:].count("more replay") > pulled[:200].count("more replay")
    assert pulled[-200:].count("more replay") > 120


def test_of_two_that_are_pulled_together_the_better_ones_win_out() -> None:
    chance = np.random.default_rng(0)
    expected = dict(zip(ARMS, (0.3, 0.8, 0.7, 0.2), strict=True))
    bandit = Bandit()
    for number in range(400):
        names = bandit.chosen(ARMS, count=2, seed=number)
        bandit = bandit.rewarded({n: float(chance.random() < expected[n]) for n in names})

    pulls = {name: arm.pulls for name, arm in bandit.arms.items()}
    assert min(pulls["half learning rate"], pulls["more replay"]) > 2 * max(
        pulls["as planned"], pulls["frozen half"]
    )


REWARDS = st.lists(
    st.dictionaries(st.sampled_from(ARMS), st.floats(0, 1), min_size=1, max_size=2), max_size=20
)


@given(rewards=REWARDS, seed=st.integers(0, 2**63))
def test_the_state_round_trips_and_the_same_seed_chooses_the_same_arms(
    rewards: list[dict[str, float]], seed: int
) -> None:
    bandit = Bandit()
    for each in rewards:
        bandit = bandit.rewarded(each)

    read = Bandit.model_validate_json(bandit.model_dump_json())

    assert read == bandit
    assert read.chosen(ARMS, count=2, seed=seed) == bandit.chosen(ARMS, count=2, seed=seed)
    assert len(set(bandit.chosen(ARMS, count=2, seed=seed))) == 2


def test_ties_fall_by_the_seed() -> None:
    assert len({Bandit().chosen(ARMS, count=2, seed=seed) for seed in range(50)}) > 5


def test_a_reward_outside_its_bounds_is_refused() -> None:
    with pytest.raises(ValidationError):
        Bandit().rewarded({"a": 1.1})
