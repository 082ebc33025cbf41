"""What the selection half of the holdout says of a head.

Budgets and plans are chosen on it: what chooses never looks at the records that judge.
"""

from collections.abc import Mapping

import numpy as np

from model.config import TaskConfig
from model.encoder import Features
from model.evaluate import answers, learned_labels, recent_from
from model.gain import NOTHING, Gain
from model.head import LinearHead
from model.holdout import HoldoutRow
from model.horizon import held_out
from model.intervals import proportion_lower_bound
from model.state import TaskState, stacked

MIN_ERROR_RECORDS = 30
"""Fewer say nothing of how much the champion errs."""
SURE = 0.9
"""One-sided: where a few dozen records say it, one time in ten it is not so."""


def selection_error(state: TaskState, config: TaskConfig) -> float | None:
    """Share of the selection records of learned labels that the champion surely has wrong.

    The lower bound of Wilson's interval: a handful of records more or less must not decide how much
    the fits may cost. None where nothing serves, or of fewer than `MIN_ERROR_RECORDS`.
    """
    rows = _rows(state, config)
    if state.head is None or len(rows) < MIN_ERROR_RECORDS:
        return None
    answered = answers(state.head, state.holdout_features(rows), state.labels)
    wrong = sum(answer != row.label for answer, row in zip(answered, rows, strict=True))
    return proportion_lower_bound(wrong, len(rows), confidence=SURE)


def selection_gain(
    state: TaskState,
    head: LinearHead,
    *,
    candidate_features: Mapping[str, Features],
    config: TaskConfig,
) -> tuple[Gain, Gain]:
    """What a candidate gains over the champion on new and on old selection records.

    Its form, penalty and temperature were chosen on the same records, as the champion's were.

    Args:
        state: with the champion's head, and the champion's features of every selection record.
        head: the candidate's.
        candidate_features: features (D,) of every selection record under its encoder.
        config: how many rounds are *new*, as at the gate.
    """
    rows = _rows(state, config)
    if state.head is None or not rows:
        return NOTHING, NOTHING
    index = state.label_index()
    truth = np.array([index[row.label] for row in rows], np.int64)
    ours = state.holdout_features(rows)
    theirs = stacked([candidate_features[row.id] for row in rows], ours.shape[1])
    before, after = state.head.predict(ours) == truth, head.predict(theirs) == truth
    since = recent_from(state.holdout.rows, config.holdout.recent_windows)
    new = np.array([row.sequence >= since for row in rows], bool)
    return Gain.between(before[new], after[new]), Gain.between(before[~new], after[~new])


def _rows(state: TaskState, config: TaskConfig) -> list[HoldoutRow]:
    """Those whose label the champion has learned."""
    known = set(learned_labels(state))
    return [row for row in held_out(state, "select", config.head) if row.label in known]
