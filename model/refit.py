"""Fits a copy of the champion's encoder on what the task's method draws."""

from collections.abc import Sequence

from model.config import TaskConfig
from model.data import Progress, Record
from model.encoder import Encoder
from model.fit import fit_encoder
from model.methods import methods_of
from model.state import TaskState


def refitted(
    state: TaskState,
    learned: Sequence[Record],
    *,
    seed: int,
    config: TaskConfig,
    progress: Progress,
) -> Encoder:
    """Fit a copy of the encoder; the state's own stays as it is.

    Args:
        state: with the encoder to start from.
        learned: learned records, oldest first, to draw from.
        seed: of the draw and of the fit.
        config: the method, and how to fit.
        progress: told how far the fit is.
    """
    plan = methods_of(config)
    drawn = plan.draw(learned, seed=seed)
    index = state.label_index()
    encoder, report = fit_encoder(
        state.encoder,
        [record.text for record in drawn],
        [index[record.label] for record in drawn],
        len(index),
        config=config.fit,
        seed=seed,
        objectives=plan.objectives,
        progress=progress,
    )
    progress("fitted", sample_steps=report.sample_steps)
    return encoder
