"""Scores a head on the slices' test sets, each text encoded once for each encoder."""

from collections.abc import Sequence

import numpy as np

from model.backtest.slice import Slice
from model.encoder import Encoder, Features
from model.evaluate import answers
from model.head import LinearHead

MOST_ENCODERS = 4
"""Encoders whose test features are kept: the base model's serve every plan."""


class Exam:
    """The test sets, and their features under the encoders met last.

    Args:
        slices: with their test sets.
    """

    def __init__(self, slices: Sequence[Slice]) -> None:
        self._slices = slices
        texts = [text.text for each in slices for text in each.test]
        self._texts = list(dict.fromkeys(texts))
        place = {text: number for number, text in enumerate(self._texts)}
        self._places = np.array([place[text] for text in texts], np.intp)
        """(N,) where each test text, slice by slice, stands among the different ones."""
        self._features: dict[str, Features] = {}

    def accuracies(
        self, encoder: Encoder, head: LinearHead | None, labels: Sequence[str]
    ) -> tuple[float, ...]:
        """Accuracy on each slice; 0 where no head answers."""
        right = self.right(encoder, head, labels)
        return tuple(sum(flags) / len(flags) for flags in right)

    def right(
        self, encoder: Encoder, head: LinearHead | None, labels: Sequence[str]
    ) -> tuple[tuple[bool, ...], ...]:
        """For each slice, whether each of its test texts is answered rightly."""
        if head is None:
            return tuple((False,) * len(each.test) for each in self._slices)
        given = iter(answers(head, self._encoded(encoder), labels))
        return tuple(
            tuple(next(given) == text.label for text in each.test) for each in self._slices
        )

    def _encoded(self, encoder: Encoder) -> Features:
        held = self._features.pop(encoder.digest, None)
        if held is None:
            held = encoder.features(self._texts)[self._places]
        self._features[encoder.digest] = held
        while len(self._features) > MOST_ENCODERS:
            del self._features[next(iter(self._features))]
        return held
