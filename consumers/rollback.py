"""`freshet models rollback`: writes the entry, then announces it where a broker answers."""

from contextlib import closing, nullcontext
from pathlib import Path

from consumers.announcer import announcing
from consumers.settings import Settings
from consumers.task_config import config_of
from consumers.training.span_log import SpanLog
from model.artifacts import ArtifactStore
from model.data import Progress
from model.device import cap_threads
from model.learner import Learner
from model.lineage import LineageEntry


def roll_back(
    settings: Settings,
    task: str,
    version: int | None,
    *,
    who: str,
    why: str,
    progress: Progress,
) -> tuple[LineageEntry, str | None]:
    """Let an older version serve again and announce it.

    The entry is what counts: without a broker the train role announces it before it extends the
    lineage. An update in flight loses the race for the entry's number and is done again after it.

    Args:
        settings: store, broker and tasks.
        task: whose version.
        version: to restore; None for the one that served before.
        who: asks for it.
        why: in their words.
        progress: told how far it is.

    Returns:
        The entry, and why it was not announced (None where it was).

    Raises:
        RollbackRefusedError: there is no such version to go back to, or its files are gone.
        TipMovedError: an update was faster; look again at what serves.
        StoreUnavailableError: the store does not answer.
    """
    cap_threads(settings.threads)
    learner = Learner(
        ArtifactStore(settings.store, must_exist=True),
        cache=Path(settings.cache).expanduser(),
        device=settings.device,
        threads=settings.threads,
        progress=progress,
    )
    with announcing(settings) as announcer:
        # Records are read again only where the encoder was another; see `model.rollback`.
        with closing(SpanLog(settings)) if announcer.connected else nullcontext() as log:
            config = config_of(settings, task, learner.tip(task))
            entry = learner.rollback(task, version, config, who=who, why=why, log=log)
        return entry, announcer.announce(entry, source=f"/freshet/models/{task}")
