"""The gate: whether a candidate takes over from the champion, and why, in words and numbers."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.calibration import LogLosses
from model.config import GateConfig
from model.intervals import (
    chance_if_equal,
    excludes_loss,
    paired_difference_bounds,
    proportion_lower_bound,
)
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

    def counts(self) -> "Counts":
        """What the tests look at."""
        before, after = self.champion_right, self.candidate_right
        return Counts(
            num_records=len(after),
            champion_right=int(before.sum()),
            gains=int(np.sum(after & ~before)),
            losses=int(np.sum(before & ~after)),
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """Paired outcomes, summed up."""

    num_records: int
    champion_right: int
    gains: int
    """Wrong by the champion, right by the candidate."""
    losses: int
    """The other way round."""


NO_RECORDS = Counts(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Against:
    """The best of the last versions, and how the candidate does beside it."""

    version: int
    counts: Counts
    """With the anchor in the champion's place."""


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
class Verdict:
    """A decision, before it is told with all its numbers."""

    outcome: Literal["promote", "reject"]
    evidence: Literal["sufficient", "insufficient"]
    why: str


@dataclass(frozen=True, slots=True)
class _Side:
    name: str
    counts: Counts
    margin: float
    config: GateConfig

    @property
    def no_worse(self) -> bool:
        """Non-inferior: a loss of the margin is excluded; without records neutral."""
        found = self.counts
        return not found.num_records or excludes_loss(
            found.gains,
            found.losses,
            found.num_records,
            margin=self.margin,
            confidence=self.config.confidence,
        )

    @property
    def worse(self) -> bool:
        chance = chance_if_equal(self.counts.gains, self.counts.losses)
        return chance <= self.config.significance and not self.no_worse

    def __str__(self) -> str:
        found, seen = self.counts, compared(self.counts, confidence=self.config.confidence)
        if seen.champion is None or seen.candidate is None:
            return f"{self.name} (no records)"
        return (
            f"{self.name} ({seen.candidate:.3f} vs {seen.champion:.3f}, n={found.num_records}, "
            f"difference {seen.candidate - seen.champion:+.3f}, between {seen.difference_low:+.3f} "
            f"and {seen.difference_high:+.3f}, margin {self.margin:.3f})"
        )


def decide(
    new: Paired,
    old: Paired,
    *,
    config: GateConfig,
    anchor: Against | None = None,
    log_losses: LogLosses | None = None,
) -> Decision:
    """Weigh a candidate against the champion on new and on old judge records.

    And against the anchor, since what each step may lose adds up: a chain of versions, each a
    little worse than its parent, is stopped by the best of them.

    Args:
        new: outcomes on the records of the last rounds.
        old: outcomes on the others. Records of labels that the champion does not know are the
            caller's to leave out: it could not have them right, and they would hide what was lost
            on the labels that both know.
        config: see `verdict`.
        anchor: outcomes on the records that the anchor answered too.
        log_losses: of both on the same records; a candidate that is as often right but proven to be
            surer of its errors is rejected.
    """
    sides = (new.counts(), old.counts())
    found = verdict(*sides, config=config, anchor=anchor)
    fault = log_losses.fault(config) if log_losses else None
    if found.outcome == "promote" and fault:
        found = Verdict("reject", "sufficient", fault)
    told = [str(side) for side in _sides(*sides, config, anchor)]
    return Decision(
        outcome=found.outcome,
        evidence=found.evidence,
        reason=f"{found.why}: {', '.join(told[:-1])} and {told[-1]}",
        new=compared(sides[0], confidence=config.confidence),
        old=compared(sides[1], confidence=config.confidence),
    )


def verdict(
    new: Counts, old: Counts, *, config: GateConfig, anchor: Against | None = None
) -> Verdict:
    """Decide from counts alone.

    A side (new, old, anchor) is *no worse* when a loss of its margin is excluded (non-inferiority,
    Tango's lower bound at `confidence`), and *worse* when it is not and McNemar's exact test gives
    a candidate as good as the other no more than `significance` of a chance. The loss that is
    rejected follows the evidence at hand: many records reject any loss that reaches the margin, a
    few only a large one. A side without records is neutral. In this order:

    1. More negative flips than the limit, proven (lower bound of their share of all records):
       reject.
    2. Every side no worse: promote.
    3. A side worse: reject.
    4. Insufficient evidence: as the config says. `promote_unless_worse` promotes unless new and old
       together are worse by McNemar's test. It takes no mere hints: half of the candidates that
       are as good as the champion lose more answers than they gain, and a rejected round keeps its
       records from being learned. What is let through in error is the anchor's to stop.
    """
    sides = _sides(new, old, config, anchor)
    gains, losses = new.gains + old.gains, new.losses + old.losses
    num_records = new.num_records + old.num_records
    if not num_records:
        promote = config.insufficient_evidence != "reject"
        return Verdict("promote" if promote else "reject", "insufficient", "nothing to compare on")
    # 1. Negative flips.
    least_flips = proportion_lower_bound(losses, num_records, confidence=config.confidence)
    if least_flips > config.max_negative_flip_rate:
        flips = f"{losses} of {num_records} records turned from right to wrong, at least "
        limit = f"{least_flips:.3f} where {config.max_negative_flip_rate:.3f} may"
        return Verdict("reject", "sufficient", flips + limit)
    # 2. No worse on any side.
    if all(side.no_worse for side in sides):
        return Verdict("promote", "sufficient", "no worse")
    # 3. Worse on a side.
    worse = [side.name for side in sides if side.worse]
    if worse:
        return Verdict("reject", "sufficient", f"worse on {' and '.join(worse)}")
    # 4. Insufficient evidence.
    return _undecided(gains, losses, config)


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


def obeyed(decision: Decision, config: GateConfig) -> Decision:
    """The decision, or where the gate only looks on, a promotion that says what it would do."""
    if config.obey or decision.outcome == "promote":
        return decision
    return replace(decision, outcome="promote", reason=f"would reject: {decision.reason}")


def compared(found: Counts, *, confidence: float) -> Comparison:
    """Counts as an event tells them, each bound one-sided at `confidence`."""
    num_records = found.num_records
    if not num_records:
        return Comparison(num_records=0)
    low, high = paired_difference_bounds(
        found.gains, found.losses, num_records, confidence=confidence
    )
    return Comparison(
        num_records=num_records,
        champion=found.champion_right / num_records,
        candidate=(found.champion_right + found.gains - found.losses) / num_records,
        difference_low=low,
        difference_high=high,
        negative_flip_rate=found.losses / num_records,
    )


def _sides(
    new: Counts, old: Counts, config: GateConfig, anchor: Against | None
) -> tuple[_Side, ...]:
    parents = (
        _Side("new", new, config.margin_new, config),
        _Side("old", old, config.margin_old, config),
    )
    if anchor is None:
        return parents
    name = f"what the anchor, version {anchor.version}, answered"
    return (*parents, _Side(name, anchor.counts, config.margin_anchor, config))


def _undecided(gains: int, losses: int, config: GateConfig) -> Verdict:
    counts = (
        f"too few records to prove it no worse everywhere: {gains} answers gained, {losses} lost"
    )
    if config.insufficient_evidence == "promote":
        return Verdict("promote", "insufficient", f"{counts}, promoted as configured")
    if config.insufficient_evidence == "reject":
        return Verdict("reject", "insufficient", f"{counts}, rejected as configured")
    chance = chance_if_equal(gains, losses)
    if chance <= config.significance:
        return Verdict("reject", "insufficient", f"{counts} on both together, hardly by chance")
    why = f"{counts}; one as good would lose so many or more with probability {chance:.2f}"
    return Verdict("promote", "insufficient", why)
