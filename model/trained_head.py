"""The softmax head that a fit trains beside the encoder, as a head that can serve.

Its weight and bias have no mean over the labels: the softmax does not see what all labels share,
and a label added later with a row of zeros never wins, since the best logit is not below 0.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.choice import MIN_TEMPERATURE_RECORDS, choose_head
from model.config import HeadConfig
from model.head import LinearHead
from model.horizon import choosing, held_out
from model.state import TaskState
from model.temperature import fit_temperature

_START = HeadConfig(form="discriminant", features="plain", choose=False)
"""Of the head where a fit starts: the default discriminant at a fitted temperature, no choice."""


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


def initial_head(state: TaskState, config: HeadConfig) -> LinearHead | None:
    """Where a fit's head starts, over all labels of the state; None is zeros.

    A trained head goes on from the champion's. Else the solved one is where the fit starts (LP-FT,
    Kumar et al. 2022, "Fine-tuning can distort pretrained features"; theirs is trained): a head of
    zeros pushes every feature about before it knows the labels, and with many of them a short fit
    never gets past that. On 150 intents, one fit on 800 records gained 0.8 points over the encoder
    as it came from the solved head, and lost 0.1 from zeros.
    """
    if config.form == "softmax":
        trained = state.head is not None and state.head.form == "softmax"
        return extended(state.head, len(state.labels)) if state.head and trained else None
    live = np.flatnonzero(state.statistics.counts > 0)
    if len(live) < 2:
        return None
    index, rows = state.label_index(), held_out(state, "select", config)
    solved = choose_head(
        state.statistics.plain(),
        state.holdout_features(rows),
        [index[row.label] for row in rows],
        config=_START,
    )
    weight = np.zeros((len(index), state.encoder.dim), np.float32)
    bias = np.zeros(len(index), np.float32)
    weight[live] = _centred(solved.weight[live] / solved.temperature)
    bias[live] = _centred(solved.bias[live] / solved.temperature)
    return trained_head(weight, bias)


def calibrated(head: LinearHead, state: TaskState, config: HeadConfig) -> LinearHead:
    """The head with the temperature that selection records prefer, where there are enough of them.

    Args:
        head: over all labels of the state.
        state: with the held-out records and their features under the head's encoder.
        config: how far back they say something.
    """
    index = state.label_index()
    live = np.flatnonzero(state.statistics.counts > 0)
    rows = choosing(state, config)
    if len(live) < 2 or len(rows) < MIN_TEMPERATURE_RECORDS:
        return head
    logits = head.logits(state.holdout_features(rows))[:, live]
    truth = np.searchsorted(live, [index[row.label] for row in rows])
    return replace(head, temperature=fit_temperature(logits, truth))


def _centred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    exact = values.astype(np.float64)
    return np.asarray(exact - exact.mean(axis=0), np.float32)
