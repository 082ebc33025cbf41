"""The watch over a version that has taken over: its predecessor answers beside it for a while.

Nothing was learned from a window when it arrives, so that both are tested on it without bias,
however the gate's holdout came to like the newer one (prequential evaluation, Gama et al. 2013).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.config import MonitorConfig
from model.data import Record
from model.encoder import Encoder, Features
from model.gain import NOTHING, Gain
from model.head import LinearHead
from model.intervals import proves_loss


@dataclass(frozen=True, slots=True)
class Probation:
    """The predecessor of what serves, and how both did on the windows since.

    Where further versions follow before the first is confirmed, the predecessor stays, and the
    counts are those of whichever served: one small window proves nothing about any of them.
    """

    version: int
    """Sequence of the predecessor."""
    head: LinearHead
    encoder: Encoder
    num_records: int = 0
    gains: int = 0
    """Records that the predecessor has wrong and its successor right."""
    losses: int = 0
    """The other way round."""
    trial: bool = False
    """Whether the successor brought a refreshed encoder: then it must hold its ground."""
    known: Gain = NOTHING
    """The same counts on records of labels that the predecessor has learned."""

    def after(
        self,
        records: Sequence[Record],
        features: Features,
        right: Sequence[bool],
        *,
        encoder: Encoder,
        labels: Sequence[str],
    ) -> "Probation":
        """With one more window counted.

        Args:
            records: the window's (N).
            features: (N, D) under the serving version's encoder.
            right: (N,) whether the serving version has each record right.
            encoder: that encoder.
            labels: what the columns of the heads mean, in order.
        """
        if self.encoder.digest != encoder.digest:
            features = self.encoder.features([record.text for record in records])
        answers = [labels[index] for index in self.head.predict(features)] if records else []
        before = [answer == item.label for answer, item in zip(answers, records, strict=True)]
        then, now = np.array(before, bool), np.array(right, bool)
        learned = set(labels[: len(self.head.bias)])
        known = np.array([record.label in learned for record in records], bool)
        seen = Gain.between(then, now)
        return replace(
            self,
            num_records=self.num_records + seen.records,
            gains=self.gains + seen.gained,
            losses=self.losses + seen.lost,
            known=self.known + Gain.between(then[known], now[known]),
        )

    def fault(self, config: MonitorConfig) -> str | None:
        """Why the successor must go, in words and numbers, or None.

        Any, where its loss is proven to be over the limit. A refreshed encoder also where its loss
        by the end of its trial is over the trial's limit and beyond one standard error: without it
        the older encoder's head learns the same records, so that it must do more than escape a
        proof.
        """
        if not self.num_records:
            return None
        loss = (self.losses - self.gains) / self.num_records
        counts = (
            f"on the next {self.num_records} records it lost {self.losses} answers that version "
            f"{self.version} had right and gained {self.gains}: {loss:.3f} worse"
        )
        if proves_loss(
            self.gains,
            self.losses,
            self.num_records,
            margin=config.max_loss,
            confidence=config.confidence,
        ):
            return f"{counts}, proven to be over {config.max_loss:.3f}"
        allowed = trial_limit(self.gains, self.losses, self.num_records, config)
        if self.trial and self.over(config) and loss > allowed:
            return f"{counts}, where a refreshed encoder may be {allowed:.3f} worse on its trial"
        return None

    def over(self, config: MonitorConfig) -> bool:
        """Whether the successor is confirmed."""
        return self.num_records >= config.records


def trial_limit(gains: int, losses: int, num_records: int, config: MonitorConfig) -> float:
    """How much worse than its predecessor, in accuracy, an encoder may be on its trial.

    Args:
        gains: records that it has right and the predecessor wrong.
        losses: the other way round.
        num_records: at least one.
        config: with the limit below which going back does not pay.

    Returns:
        That limit, or where it is larger the standard error of the difference of two that are
        equally good.
    """
    return max(config.max_trial_loss, math.sqrt(gains + losses) / num_records)
