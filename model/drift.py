"""Drift: whether the champion errs more on what it knew, by ADWIN on the prequential error.

Bifet and Gavalda (2007), "Learning from time-changing data with adaptive windowing", as river has
it. We deviate twice. Their window answers in both directions; only a rise of the error is drift
here, a fall is what refreshes are for. And ADWIN says that there was a change, its window lags
behind where: that is the split of the errors at hand that separates best (Page 1955).

A detector that keeps no object between rounds: the errors since the last drift travel in the
lineage entry, and each round feeds a fresh detector with them first. So a restart changes nothing.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from model.config import DriftConfig, FeedbackConfig
from model.plan import Adjustment, Plan
from schemas.base import Count

Flags = NDArray[np.bool_]

MOST_ERRORS = 4096
"""Newest answers that a watch keeps, in whole rounds: 700 characters of an entry."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answered(_Part):
    """Which answers of a round were wrong, in the order of its records."""

    sequence: Count
    seen: Count
    """Records of the task before the first of them."""
    answers: Annotated[int, Field(ge=1)]
    wrong: str
    """One bit an answer, as base64."""

    def flags(self) -> Flags:
        """The bits (N,)."""
        raw = np.frombuffer(base64.b64decode(self.wrong), np.uint8)
        return np.unpackbits(raw, count=self.answers).astype(bool)


class Watch(_Part):
    """What is watched for drift: the answers since the last one, oldest round first."""

    rounds: tuple[Answered, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A rise of the error."""

    sequence: int
    """Round in which it began."""
    seen: int
    """Records of the task before it."""
    before: float
    """Share of wrong answers before it."""
    after: float
    answers: int
    """Known-label answers since it began."""

    def __str__(self) -> str:
        return (
            f"drift: {self.after:.1%} of {self.answers} answers wrong, {self.before:.1%} before "
            f"record {self.seen}"
        )


def watched(
    watch: Watch, wrong: Flags, *, sequence: int, seen: int, config: DriftConfig
) -> tuple[Watch, Change | None]:
    """Watch one more round.

    Args:
        watch: the answers before.
        wrong: (N,) whether the champion erred, on the records whose label it knows, in order. New
            labels are no drift of what was known.
        sequence: of the round.
        seen: records of the task before it.
        config: how sure a detection is to be.
    """
    if not config.enabled or not len(wrong):
        return watch, None
    rounds = (*watch.rounds, answered(wrong, sequence=sequence, seen=seen))
    errors = np.concatenate([each.flags() for each in rounds])
    if _risen(errors, fresh=len(wrong), config=config):
        cut, rise = best_split(errors)
        if rise >= config.min_rise:
            return _changed(rounds, errors, cut)
    return Watch(rounds=_newest(rounds)), None


def answered(wrong: Flags, *, sequence: int, seen: int) -> Answered:
    """Pack the answers of a round."""
    bits = base64.b64encode(np.packbits(wrong).tobytes()).decode()
    return Answered(sequence=sequence, seen=seen, answers=len(wrong), wrong=bits)


def best_split(errors: Flags) -> tuple[int, float]:
    """Where the errors fall apart best into before and after, and by how much they rise there.

    The split that maximises the likelihood ratio under equal variances, `d^2 n m / (n + m)`.
    """
    total, sums = len(errors), np.cumsum(errors)[:-1]
    before = np.arange(1, total)
    after = total - before
    rise = (errors.sum() - sums) / after - sums / before
    cut = int(np.argmax(np.sign(rise) * rise**2 * before * after))
    return cut + 1, float(rise[cut])


def after_drift(plan: Plan, change: Change, limits: FeedbackConfig) -> Plan:
    """What was measured before a drift does not hold after it: refreshes are soon, and may cost."""
    wanted = {
        "refresh_interval": min(plan.refresh_interval, 1.0),
        "compute_share": max(plan.compute_share or 0.0, limits.paying_compute_share),
    }
    for field, value in wanted.items():
        before = getattr(plan, field)
        if value != before:
            reset = Adjustment(field=field, before=before, after=value, reason=str(change))
            plan = plan.adjusted(reset)
    return plan


def _risen(errors: Flags, *, fresh: int, config: DriftConfig) -> bool:
    """Whether ADWIN detects a rise within the last `fresh` errors."""
    from river.drift import ADWIN  # noqa: PLC0415 - 1.4 s, and only learning needs it

    detector: Any = ADWIN(delta=config.delta)  # type: ignore[no-untyped-call]  # river has no types
    known = len(errors) - fresh
    for error in errors[:known].tolist():
        detector.update(error)
    sums = np.concatenate([[0], np.cumsum(errors)])
    for end, error in enumerate(errors[known:].tolist(), start=known + 1):
        first = end - 1 - int(detector.width)
        detector.update(error)
        if detector.drift_detected:
            cut = end - int(detector.width)
            before = (sums[cut] - sums[first]) / max(1, cut - first)
            if detector.estimation > before:
                return True
    return False


def _changed(rounds: Sequence[Answered], errors: Flags, cut: int) -> tuple[Watch, Change]:
    """The watch from the change on, and the change."""
    ends = np.cumsum([each.answers for each in rounds])
    number = int(np.searchsorted(ends, cut, side="right"))
    began = rounds[number]
    inside = cut - int(ends[number]) + began.answers
    seen = began.seen + inside
    rest = answered(began.flags()[inside:], sequence=began.sequence, seen=seen)
    change = Change(
        sequence=began.sequence,
        seen=seen,
        before=float(errors[:cut].mean()),
        after=float(errors[cut:].mean()),
        answers=len(errors) - cut,
    )
    return Watch(rounds=(rest, *rounds[number + 1 :])), change


def _newest(rounds: tuple[Answered, ...]) -> tuple[Answered, ...]:
    kept, left = list(rounds), sum(each.answers for each in rounds)
    while left > MOST_ERRORS and len(kept) > 1:
        left -= kept.pop(0).answers
    return tuple(kept)
