"""The trial of a refreshed encoder: on the next windows the champion it replaced answers beside it.

The gate has the held-out records of a few windows to judge a refresh by, too few to tell one that
loses three points from one that gains them. The windows that follow are many times as many, and
nothing was learned from them when they arrive (prequential evaluation, Gama et al. 2013). Both
heads stay as they were when the refresh ended, so that what differs is the encoder and not what was
learned since. A fit is worth nothing else: without it the older encoder's head learns the same
records, so that one that did worse by more than a standard error goes, proven or not. A loss that
chance may have made doubles the trial. Where the stream turns into another one meanwhile, both are
strangers to it, and the trial ends without a verdict (`model.guard`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.config import MonitorConfig
from model.data import Record
from model.encoder import Encoder, Features
from model.gain import NOTHING, Gain
from model.head import LinearHead
from model.plan import Plan


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a trial ended."""

    gain: Gain
    """Over the predecessor, on records of labels that it had learned."""
    fault: str | None
    """Why the encoder must go, in words and numbers; None where it stays."""
    fitted_with: Plan
    """The plan of its refresh."""
    told: str = ""
    """What the round's reason says of it where the encoder stays."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A predecessor, its successor with the refreshed encoder, and how both did since."""

    version: int
    """Sequence of the predecessor."""
    refreshed: int
    """Sequence of the refresh."""
    encoder: Encoder
    """The predecessor's."""
    head: LinearHead
    """The predecessor's."""
    successor: LinearHead
    """The head that the refresh ended with."""
    plan: Plan
    """The one that the refresh was run with."""
    num_records: int = 0
    """Of the windows since, whatever their labels."""
    gain: Gain = NOTHING
    """Of the encoder, on those whose labels the predecessor had learned."""

    def after(
        self,
        records: Sequence[Record],
        features: Features,
        refreshed: Features,
        labels: Sequence[str],
    ) -> "Trial":
        """With one more window counted.

        Args:
            records: the window's (N).
            features: (N, D) under the predecessor's encoder.
            refreshed: (N, D) under the refreshed one.
            labels: what the columns of the heads mean, in order.
        """
        if not records:
            return self
        index = {label: number for number, label in enumerate(labels)}
        truth = np.array([index.get(record.label, -1) for record in records])
        known = np.isin(truth, np.flatnonzero(self.head.weight.any(axis=1)))
        return replace(
            self,
            num_records=self.num_records + len(records),
            gain=self.gain
            + Gain.between(
                _right(self.head, features, truth)[known],
                _right(self.successor, refreshed, truth)[known],
            ),
        )

    def verdict(self, config: MonitorConfig, *, before: int) -> Verdict | None:
        """What came of it; None while it goes on, which `goes_on` tells."""
        if goes_on(self.gain, self.num_records, config, before=before):
            return None
        told = f"the encoder of version {self.refreshed} stays after its trial ({self.gain})"
        return Verdict(self.gain, self._fault(config), self.plan, told)

    def broken_off(self, why: str) -> Verdict:
        """The end of a trial that tells nothing: the encoder stays, its gain counts for nothing.

        Args:
            why: a clause.
        """
        told = f"the trial of version {self.refreshed}'s encoder ends without a verdict: {why}"
        return Verdict(NOTHING, None, self.plan, told)

    def _fault(self, config: MonitorConfig) -> str | None:
        seen, records = self.gain, self.num_records
        worse = too_much_worse(seen, records, config)
        if worse is None:
            return None
        return (
            f"on the next {records} records the encoder of version {self.refreshed} lost "
            f"{seen.lost} answers that version {self.version} had right and gained {seen.gained}: "
            f"{worse}"
        )


def goes_on(gain: Gain, num_records: int, config: MonitorConfig, *, before: int) -> bool:
    """Whether a trial needs more records.

    It has `monitor.records`, and as many again where it then has a loss within the standard error
    of two that are equally good. Of these it is spared the rest once the loss is beyond two of
    them: to look again and again with one would take back many that are as good.

    Args:
        gain: over its predecessor.
        num_records: of the trial.
        config: with its records.
        before: its records before the newest windows.
    """
    if before < config.records:
        perhaps_worse = gain.net < 0 and not gain.lossy
        return num_records < (2 if perhaps_worse else 1) * config.records
    return num_records < 2 * config.records and -gain.net <= 2 * gain.error


def too_much_worse(gain: Gain, num_records: int, config: MonitorConfig) -> str | None:
    """How much worse an encoder did on its trial, and how much it may; None where it stays.

    Args:
        gain: over its predecessor.
        num_records: of the trial, at least one.
        config: with the loss in accuracy below which going back does not pay; where it is larger,
            the standard error of two that are equally good is the limit.
    """
    loss = -gain.net / num_records
    allowed = max(config.max_trial_loss, gain.error / num_records)
    return f"{loss:.3f} worse, where it may be {allowed:.3f}" if loss > allowed else None


def _right(head: LinearHead, features: Features, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = head.predict(features) == truth
    return right
