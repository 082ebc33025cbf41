"""The gate: whether a candidate takes over from the champion, and why, in words and numbers."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from model.config import GateConfig
from model.intervals import paired_difference_bounds, proportion_lower_bound
from schemas.evaluation import Comparison

Outcomes = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """Whether champion and candidate are right on the same judge records, in the same order."""

    champion_right: Outcomes
    """(N,)."""
    candidate_right: Outcomes
    """(N,)."""

    def __post_init__(self) -> None:
        """Refuse lists of two lengths."""
        if (
            self.champion_right.shape != self.candidate_right.shape
            or self.candidate_right.ndim != 1
        ):
            shapes = f"{self.champion_right.shape} and {self.candidate_right.shape}"
            raise ValueError(f"paired outcomes have the shapes {shapes}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate decided."""

    outcome: Literal["promote", "reject"]
    evidence: Literal["sufficient", "insufficient"]
    reason: str
    """A sentence with numbers, for a person."""
    new: Comparison
    old: Comparison


@dataclass(frozen=True, slots=True)
class _Side:
    name: str
    num_records: int
    gains: int
    losses: int
    margin: float
    confidence: float
    seen: Comparison

    @property
    def no_worse(self) -> bool:
        return self.seen.difference_low is None or self.seen.difference_low > -self.margin

    @property
    def worse(self) -> bool:
        below = self.seen.difference_high is not None and self.seen.difference_high < 0
        return below and self.chance <= 1 - self.confidence

    @property
    def chance(self) -> float:
        """Of no more gains among what differs if both were equal (McNemar's exact test)."""
        return float(binom.cdf(self.gains, self.gains + self.losses, 0.5))

    @property
    def losing(self) -> bool:
        over_margin = self.losses - self.gains > self.margin * self.num_records
        return over_margin and _points_down(self.gains, self.losses)

    def __str__(self) -> str:
        seen = self.seen
        if seen.champion is None or seen.candidate is None:
            return f"{self.name} (no records)"
        return (
            f"{self.name} ({seen.candidate:.3f} vs {seen.champion:.3f}, n={self.num_records}, "
            f"difference {seen.candidate - seen.champion:+.3f}, between {seen.difference_low:+.3f} "
            f"and {seen.difference_high:+.3f}, margin {self.margin:.3f})"
        )


def decide(new: Paired, old: Paired, *, config: GateConfig) -> Decision:
    """Weigh a candidate against the champion on new and on old judge records.

    A side is *no worse* when the lower bound of the paired difference is above minus its margin
    (non-inferiority), *worse* when it is not, the upper bound is below zero and McNemar's exact
    test agrees (equals, too, lose three answers and gain none one time in eight). Each bound is
    one-sided at `confidence`. A side without records is neutral. In this order:

    1. More negative flips than the limit, proven (lower bound of their share of all records):
       reject.
    2. Both sides no worse: promote.
    3. A side worse: reject.
    4. Insufficient evidence: as the config says. `promote_unless_worse` promotes unless the records
       at hand point down: both sides together, or one side by more than its margin, lost more than
       they gained by over one standard error with continuity correction (McNemar), that is
       `losses - gains - 1 > sqrt(losses + gains)`. A mere `losses > gains` would reject nearly
       every second candidate that is as good as the champion; here one or two records never decide.

    Records of labels that the champion does not know are the caller's to leave out: it could not
    have them right, and they would hide what was lost on the labels that both know.
    """
    sides = (
        _side("new", new, config.margin_new, config),
        _side("old", old, config.margin_old, config),
    )
    outcome, evidence, why = _weighed(sides, config)
    reason = f"{why}: {sides[0]} and {sides[1]}"
    return Decision(outcome, evidence, reason, sides[0].seen, sides[1].seen)


def decide_first(
    candidate_right: Outcomes, majority_right: Outcomes, *, single_label: bool = False
) -> Decision:
    """Weigh a first version, which has no champion, against the most frequent label.

    It is promoted when it has more judge records right than that label would, or as many where the
    task has a single label so far. Without judge records it is not: the next window brings some.

    Args:
        candidate_right: (N,) on all judge records, new and old.
        majority_right: (N,) whether the most frequent learned label is the right one.
        single_label: the task has one label.
    """
    pair = Paired(majority_right, candidate_right)
    num_records = len(pair.candidate_right)
    nothing = Comparison(num_records=0)
    if not num_records:
        reason = "first version, and no judge records to compare it with the most frequent label on"
        return Decision("reject", "insufficient", reason, nothing, nothing)
    right, baseline = int(candidate_right.sum()), int(majority_right.sum())
    seen = Comparison(num_records=num_records, candidate=right / num_records)
    better = right > baseline or (single_label and right == baseline)
    if right == baseline:
        verb = "is as good as" if single_label else "is no better than"
    else:
        verb = "beats" if better else "is worse than"
    reason = (
        f"first version {verb} the most frequent label: "
        f"{right / num_records:.3f} vs {baseline / num_records:.3f}, n={num_records}"
    )
    return Decision("promote" if better else "reject", "sufficient", reason, seen, nothing)


def _side(name: str, pair: Paired, margin: float, config: GateConfig) -> _Side:
    before, after = pair.champion_right, pair.candidate_right
    num_records = len(after)
    gains, losses = int(np.sum(after & ~before)), int(np.sum(before & ~after))
    if not num_records:
        return _Side(name, 0, 0, 0, margin, config.confidence, Comparison(num_records=0))
    low, high = paired_difference_bounds(gains, losses, num_records, confidence=config.confidence)
    seen = Comparison(
        num_records=num_records,
        champion=float(before.mean()),
        candidate=float(after.mean()),
        difference_low=low,
        difference_high=high,
        negative_flip_rate=losses / num_records,
    )
    return _Side(name, num_records, gains, losses, margin, config.confidence, seen)


def _weighed(
    sides: tuple[_Side, _Side], config: GateConfig
) -> tuple[Literal["promote", "reject"], Literal["sufficient", "insufficient"], str]:
    gains, losses = sum(side.gains for side in sides), sum(side.losses for side in sides)
    num_records = sum(side.num_records for side in sides)
    if not num_records:
        promote = config.insufficient_evidence != "reject"
        return "promote" if promote else "reject", "insufficient", "nothing to compare on"
    # 1. Negative flips.
    least_flips = proportion_lower_bound(losses, num_records, confidence=config.confidence)
    if least_flips > config.max_negative_flip_rate:
        flips = f"{losses} of {num_records} records turned from right to wrong, at least "
        limit = f"{least_flips:.3f} where {config.max_negative_flip_rate:.3f} may"
        return "reject", "sufficient", flips + limit
    # 2. No worse on either side.
    if all(side.no_worse for side in sides):
        return "promote", "sufficient", "no worse"
    # 3. Worse on a side.
    worse = [side.name for side in sides if side.worse and not side.no_worse]
    if worse:
        return "reject", "sufficient", f"worse on {' and '.join(worse)}"
    # 4. Insufficient evidence.
    return _undecided(sides, gains, losses, config)


def _undecided(
    sides: tuple[_Side, _Side], gains: int, losses: int, config: GateConfig
) -> tuple[Literal["promote", "reject"], Literal["insufficient"], str]:
    counts = f"too few records to prove it either way: {gains} answers gained, {losses} lost"
    if config.insufficient_evidence == "promote":
        return "promote", "insufficient", f"{counts}, promoted as configured"
    if config.insufficient_evidence == "reject":
        return "reject", "insufficient", f"{counts}, rejected as configured"
    losing = [side.name for side in sides if side.losing]
    if losing:
        return "reject", "insufficient", f"{counts}, pointing down on {' and '.join(losing)}"
    if _points_down(gains, losses):
        return "reject", "insufficient", f"{counts}, pointing down on both together"
    return "promote", "insufficient", f"{counts}, not pointing down"


def _points_down(gains: int, losses: int) -> bool:
    return losses - gains - 1 > math.sqrt(losses + gains)
