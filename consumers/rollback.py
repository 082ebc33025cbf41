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
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.rollback import RecordsAtStakeError, RollbackRefusedError, version_to_restore


def roll_back(
    settings: Settings,
    task: str,
    version: int | None,
    *,
    who: str,
    why: str,
    progress: Progress,
    without_log: bool = False,
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
        without_log: whether, where no broker answers, what its log alone holds is given up.

    Returns:
        The entry, and why it was not announced (None where it was).

    Raises:
        RollbackRefusedError: there is no such version to go back to, its files are gone, or records
            that were learned since would be lost without a broker.
        TipMovedError: an update was faster; look again at what serves.
        StoreUnavailableError: the store does not answer.
    """
    cap_threads(settings.threads)
    store = ArtifactStore(settings.store, must_exist=True)
    learner = Learner(
        store,
        cache=Path(settings.cache).expanduser(),
        device=settings.device,
        threads=settings.threads,
        progress=progress,
    )
    tip = learner.tip(task)
    if tip is not None:  # what cannot be is said before the broker is asked
        version_to_restore(Lineage(store, task), tip, version)
    progress("connecting", reason=settings.bootstrap_servers)
    with announcing(settings) as announcer:
        # Records are read again only where the encoder was another; see `model.rollback`.
        with closing(SpanLog(settings)) if announcer.connected else nullcontext() as log:
            try:
                entry = learner.rollback(
                    task,
                    version,
                    config_of(settings, task, tip),
                    who=who,
                    why=why,
                    log=log,
                    give_up=without_log,
                )
            except RecordsAtStakeError as error:
                msg = (
                    f"{error}, which is not at hand ({announcer.fault}): start the broker (and "
                    "`freshet topics`), or name it with --bootstrap-servers; --without-log gives "
                    "these records up"
                )
                raise RollbackRefusedError(msg) from error
        return entry, announcer.announce(entry, source=f"/freshet/models/{task}")
