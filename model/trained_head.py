"""The softmax head that a fit trains beside the encoder, as a head that can serve.

Its weight and bias have no mean over the labels: the softmax does not see what all labels share,
and a label added later with a row of zeros never wins, since the best logit is not below 0.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.choice import MIN_TEMPERATURE_RECORDS
from model.head import LinearHead
from model.state import TaskState
from model.temperature import fit_temperature


def trained_head(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> LinearHead:
    """A softmax head from what was trained.

    Args:
        weight: (C, D), over features of unit length.
        bias: (C,).
    """
    return LinearHead(
        weight=_centred(weight),
        bias=_centred(bias),
        temperature=1.0,
        form="softmax",
        penalty=0.0,
    )


def extended(head: LinearHead, num_labels: int) -> LinearHead:
    """The head with a row of zeros for each label beyond its own."""
    missing = num_labels - head.num_labels
    if missing <= 0:
        return head
    return replace(
        head,
        weight=np.pad(head.weight, ((0, missing), (0, 0))),
        bias=np.pad(head.bias, (0, missing)),
    )


def initial_head(state: TaskState) -> LinearHead | None:
    """Where a fit's head starts: the champion's, if that was trained; else None, which is zeros."""
    if state.head is None or state.head.form != "softmax":
        return None
    return extended(state.head, len(state.labels))


def calibrated(head: LinearHead, state: TaskState) -> LinearHead:
    """The head with the temperature that selection records prefer, where there are enough of them.

    Args:
        head: over all labels of the state.
        state: with the held-out records and their features under the head's encoder.
    """
    index = state.label_index()
    live = np.flatnonzero(state.statistics.counts > 0)
    rows = [row for row in state.holdout.part("select") if index[row.label] in set(live.tolist())]
    if len(live) < 2 or len(rows) < MIN_TEMPERATURE_RECORDS:
        return head
    logits = head.logits(state.holdout_features(rows))[:, live]
    truth = np.searchsorted(live, [index[row.label] for row in rows])
    return replace(head, temperature=fit_temperature(logits, truth))


def _centred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    exact = values.astype(np.float64)
    return (exact - exact.mean(axis=0)).astype(np.float32)
