"""What champion and candidate say of the judge records, in scores, and how good that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.calibration import LogLosses, log_loss_of_each
from model.encoder import Features
from model.head import LinearHead
from model.metrics import classification_metrics
from schemas.metrics import ClassificationMetrics

Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A head's answers to N records."""

    scores: NDArray[np.float64]
    """(N, C) over all known labels: 0 for those that the head has no column for."""
    best: Indices
    """(N,) index of the answer."""

    @classmethod
    def of(cls, head: LinearHead, features: Features, num_labels: int) -> Self:
        """Answers to features (N, D), where so many labels (C) are known."""
        scores = np.zeros((len(features), num_labels))
        if len(features):
            scores[:, : head.num_labels] = head.scores(features)
        return cls(scores, head.predict(features))

    def taken(self, rows: Flags) -> Self:
        """Those to the records that are flagged (N,)."""
        return type(self)(self.scores[rows], self.best[rows])

    def named(self, labels: Sequence[str]) -> list[str]:
        """The labels answered (N)."""
        return [labels[index] for index in self.best]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Champion and candidate on the same N records."""

    champion: Answers | None
    candidate: Answers
    truth: Indices
    """(N,) index of the true label."""

    def on(self, rows: Flags) -> Self:
        """The same of the records that are flagged (N,)."""
        champion = self.champion.taken(rows) if self.champion else None
        return type(self)(champion, self.candidate.taken(rows), self.truth[rows])

    def metrics(
        self, labels: Sequence[str]
    ) -> tuple[ClassificationMetrics | None, ClassificationMetrics | None]:
        """Those of the champion and of the candidate; None where there is nothing to measure."""
        ours, theirs = self.champion, self.candidate
        champion, right_before = None, None
        if ours is not None:
            champion = classification_metrics(ours.scores, ours.best, self.truth, labels)
            right_before = ours.best == self.truth
        candidate = classification_metrics(
            theirs.scores, theirs.best, self.truth, labels, right_before=right_before
        )
        return champion, candidate

    def log_losses(self) -> LogLosses | None:
        """Of each record, for the gate; None without a champion."""
        if self.champion is None:
            return None
        return LogLosses(
            champion=log_loss_of_each(self.champion.scores, self.truth),
            candidate=log_loss_of_each(self.candidate.scores, self.truth),
        )
