"""The watch over a version that has taken over: its predecessor answers beside it for a while.

Nothing was learned from a window when it arrives, so that both are tested on it without bias,
however the gate's holdout came to like the newer one (prequential evaluation, Gama et al. 2013).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.config import MonitorConfig
from model.data import Record
from model.encoder import Encoder, Features
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

    def after(
        self,
        records: Sequence[Record],
        features: Features,
        right: Sequence[bool],
        labels: Sequence[str],
    ) -> "Probation":
        """With one more window counted.

        Args:
            records: the window's (N).
            features: (N, D) under the predecessor's encoder.
            right: (N,) whether the serving version has each record right.
            labels: what the columns of the heads mean, in order.
        """
        answers = [labels[index] for index in self.head.predict(features)] if records else []
        before = [answer == item.label for answer, item in zip(answers, records, strict=True)]
        pairs = list(zip(before, right, strict=True))
        return replace(
            self,
            num_records=self.num_records + len(pairs),
            gains=self.gains + sum(now and not then for then, now in pairs),
            losses=self.losses + sum(then and not now for then, now in pairs),
        )

    def fault(self, config: MonitorConfig) -> str | None:
        """Why the successor must go, in words and numbers, or None."""
        if not self.num_records or not proves_loss(
            self.gains,
            self.losses,
            self.num_records,
            margin=config.max_loss,
            confidence=config.confidence,
        ):
            return None
        loss = (self.losses - self.gains) / self.num_records
        return (
            f"on the next {self.num_records} records it lost {self.losses} answers that version "
            f"{self.version} had right and gained {self.gains}: {loss:.3f} worse, proven to be "
            f"over {config.max_loss:.3f}"
        )

    def over(self, config: MonitorConfig) -> bool:
        """Whether the successor is confirmed."""
        return self.num_records >= config.records
