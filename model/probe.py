"""How fast a fit is where none has shown it yet: a few batches, whose weights are thrown away."""

from collections.abc import Sequence

from model.config import TaskConfig
from model.data import Progress, Record
from model.refit import refitted
from model.state import TaskState

PROBED_BATCHES = 8
"""The first of a process is slower, so that the speed is rather too low than too high."""


def probed_speed(
    state: TaskState,
    learned: Sequence[Record],
    *,
    seed: int,
    config: TaskConfig,
    progress: Progress,
) -> float:
    """Sample-steps a second of the fit that is planned, on this machine.

    Args:
        state: with the encoder to start from; it stays as it is.
        learned: learned records, oldest first; the newest are fitted on.
        seed: of the fit.
        config: how to fit.
        progress: told that it is under way.

    Raises:
        NotFiniteError: the fit diverged; a longer one would, too.
    """
    newest = learned[-PROBED_BATCHES * config.fit.batch_size :]
    progress("probing", records=len(newest))
    brief = config.model_copy(update={"fit": config.fit.model_copy(update={"epochs": 1})})
    report = refitted(state, newest, seed=seed, config=brief, progress=progress).report
    return report.sample_steps / report.seconds
