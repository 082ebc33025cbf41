"""Which ways to run a refresh are worth trying: a bandit over named arms (UCB1)."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from schemas.base import Fraction


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Arm(_Part):
    """What is known of one arm."""

    pulls: Annotated[int, Field(ge=1)]
    mean: Fraction
    """Of its rewards."""


class Bandit(_Part):
    """The arms that were pulled, by name. Pure: chance comes from the seed that is handed in."""

    arms: dict[str, Arm] = Field(default_factory=dict)

    def chosen(self, names: Sequence[str], *, count: int, seed: int) -> tuple[str, ...]:
        """The arms to pull next, best first.

        UCB1 (Auer et al. 2002, figure 1): those of the largest `mean_j + sqrt(2 ln n / n_j)`, with
        n_j pulls of arm j and n of all; an arm that was never pulled comes first. Our deviation:
        the `count` largest are pulled together, and ties fall in an order that the seed gives.

        Args:
            names: the arms at hand.
            count: how many to pull.
            seed: of the round.
        """
        order = np.random.default_rng(seed).permutation(len(names)).tolist()
        shuffled = [names[index] for index in order]
        return tuple(sorted(shuffled, key=self._bound, reverse=True)[:count])

    def rewarded(self, rewards: Mapping[str, float]) -> "Bandit":
        """After one more pull of each of these arms, with rewards in [0, 1]."""
        return Bandit(arms={**self.arms, **{n: self._after(n, r) for n, r in rewards.items()}})

    def _bound(self, name: str) -> float:
        if (arm := self.arms.get(name)) is None:
            return math.inf
        pulls = sum(each.pulls for each in self.arms.values())
        return arm.mean + math.sqrt(2 * math.log(pulls) / arm.pulls)

    def _after(self, name: str, reward: float) -> Arm:
        if (arm := self.arms.get(name)) is None:
            return Arm(pulls=1, mean=reward)
        pulls = arm.pulls + 1
        return Arm(pulls=pulls, mean=arm.mean + (reward - arm.mean) / pulls)
