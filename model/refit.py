"""Fits a copy of the champion's encoder on what the task's method draws."""

from collections.abc import Mapping, Sequence

import numpy as np

from model.config import TaskConfig
from model.data import Progress, Record
from model.fit import Champion, FitReport, Refitted, fit_encoder
from model.horizon import choosing
from model.methods import methods_of
from model.methods.base import Selection, newest_and_older
from model.methods.importance import leverages, losses
from model.state import TaskState, stacked
from model.trained_head import initial_head

__all__ = ["FitReport", "Refitted", "refitted"]

MOST_SELECTION_RECORDS = 500
"""Newest selection records that a method may choose or stop by: each look is a pass over them."""


def refitted(
    state: TaskState,
    learned: Sequence[Record],
    *,
    seed: int,
    config: TaskConfig,
    progress: Progress,
) -> Refitted:
    """Fit a copy of the encoder; the state's own stays as it is.

    The softmax head beside it starts from the head that the statistics give, or goes on from the
    champion's where that was trained.

    Args:
        state: with the encoder to start from.
        learned: learned records, oldest first, to draw from.
        seed: of the draw and of the fit.
        config: the method, and how to fit.
        progress: told how far the fit is.
    """
    plan = methods_of(config, weights=_draw_weights(state, config))
    drawn = plan.draw(learned, seed=seed)
    newest = {record.id for record in newest_and_older(learned, config.refresh.newest_records)[0]}
    index = state.label_index()
    return fit_encoder(
        state.encoder,
        [record.text for record in drawn],
        [index[record.label] for record in drawn],
        len(index),
        config=config.fit,
        seed=seed,
        losses=plan.losses,
        hooks=plan.hooks,
        transforms=plan.transforms,
        head=initial_head(state, config.head),
        champion=_champion(state),
        replayed=[record.id not in newest for record in drawn],
        selection=_selection(state, config) if plan.transforms or config.fit.early_stop else None,
        progress=progress,
    )


def _champion(state: TaskState) -> Champion | None:
    if state.head is None:
        return None
    live = np.flatnonzero(state.statistics.counts > 0)
    return Champion(head=state.head, taught=live[live < state.head.num_labels])


def _selection(state: TaskState, config: TaskConfig) -> Selection | None:
    index, rows = state.label_index(), choosing(state, config.head)[-MOST_SELECTION_RECORDS:]
    if not rows:
        return None
    return Selection([row.text for row in rows], np.array([index[row.label] for row in rows]))


def _draw_weights(state: TaskState, config: TaskConfig) -> Mapping[str, float]:
    """What each learned record that the journal knows is worth to a draw by weight."""
    if config.method not in ("hard", "leverage"):
        return {}
    rows = [row for row in state.journal if row.part == "learn" and row.features is not None]
    features = stacked(
        [row.features for row in rows if row.features is not None], state.encoder.dim
    )
    if config.method == "leverage":
        values = leverages(features)
    elif state.head is None:
        return {}
    else:
        index = state.label_index()
        values = losses(state.head, features, [index[row.label] for row in rows])
    return {row.id: float(value) for row, value in zip(rows, values, strict=True)}
