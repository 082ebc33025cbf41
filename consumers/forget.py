"""`freshet forget`: writes the entry, announces it, and asks for a refresh where that is wanted.

The command does it itself, as a rollback does, rather than ask the train role on `control`. Whoever
asks learns at once what was found and what still holds it, or that nothing is known of it; it is
done also where no role runs; and neither id nor hash is written to one more topic. The train role
cannot overtake it: an update in flight loses the race for the entry's number, and is done again
under the deny list. Only the refresh is the role's, since it takes long and needs the log: the
command on `control` says no more than that something is denied.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from consumers.announcer import announcing
from consumers.produce import ProduceError, TextProducer
from consumers.publisher import MissingTopicError
from consumers.settings import Settings
from consumers.task_config import config_of
from model.artifacts import ArtifactStore
from model.data import Progress
from model.denied import DenyList
from model.device import cap_threads
from model.errors import TipMovedError
from model.forget import UnknownRecordError
from model.learner import Learner
from model.lineage import Lineage, no_lineage
from model.lineage_entry import LineageEntry
from model.traces import Traces
from schemas.control import Action
from schemas.topics import CONTROL

MOST_ATTEMPTS = 10
"""Against a lineage that is extended meanwhile; each costs an update less than it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What came of it."""

    traces: Traces
    entry: LineageEntry | None
    """None for a dry run, and where it was denied before."""
    unannounced: str | None = None
    """Why the entry was not announced."""
    owes_refresh: bool = False
    """Whether the encoder that serves may have been tuned on what is denied; after a dry run, on
    what then would be."""
    asked: bool = False
    """Whether the train role was asked to refresh it."""
    unasked: str | None = None
    """Why it could not be asked."""


def forget(
    settings: Settings,
    task: str,
    denied: DenyList,
    *,
    who: str,
    why: str,
    unseen: bool,
    dry_run: bool,
    refresh: bool,
    progress: Progress,
) -> Forgotten:
    """Forget records of a task and never learn them again.

    1. Announce the tip, in case whoever wrote it died before; write the entry behind it, again
       where an update was faster. How the task learns is read from the tip, unless a tasks file
       is given: nothing else of it is to change.
    2. Announce it. Without a broker the train role does before it extends the lineage.
    3. Ask for a refresh, where the encoder may have been tuned on what is denied.

    Args:
        settings: store, broker and tasks.
        task: whose records.
        denied: the records.
        who: asks for it.
        why: in their words.
        unseen: deny them also where nothing is known of them.
        dry_run: find them, and write nothing.
        refresh: ask for a refresh.
        progress: told how far it is.

    Raises:
        UnknownRecordError: nothing is known of such records, or of the task.
        TipMovedError: updates were faster each time; try again.
        StoreUnavailableError: the store does not answer.
    """
    store = ArtifactStore(settings.store, must_exist=True)
    cap_threads(settings.threads)
    learner = Learner(
        store,
        cache=Path(settings.cache).expanduser(),
        device=settings.device,
        threads=settings.threads,
        progress=progress,
    )
    source, unannounced = f"/freshet/forget/{task}", None
    with nullcontext() if dry_run else announcing(settings) as announcer:
        for attempt in range(1, MOST_ATTEMPTS + 1):  # 1.
            tip = _tip(store, task)
            config = config_of(settings, task, tip)
            if announcer is not None:
                announcer.announce(tip, source=source)
            try:
                traces, entry = learner.forget(
                    task, denied, config, who=who, why=why, unseen=unseen, dry_run=dry_run
                )
                break
            except TipMovedError:
                if attempt == MOST_ATTEMPTS:
                    raise
                progress("overtaken", attempt=attempt)
        if announcer is not None and entry is not None:
            unannounced = announcer.announce(entry, source=source)  # 2.
    # A dry run has put nothing on the deny list; what else did has these there already.
    owes = learner.owes_refresh(task, config, also=traces.tuned)
    unasked = None
    if refresh and owes and not dry_run:
        unasked = _asked(settings, task, who=who, why=why)  # 3.
    return Forgotten(
        traces=traces,
        entry=entry,
        unannounced=unannounced,
        owes_refresh=owes,
        asked=refresh and owes and not dry_run and unasked is None,
        unasked=unasked,
    )


def _tip(store: ArtifactStore, task: str) -> LineageEntry:
    tip = Lineage(store, task).tip()
    if tip is None:
        raise UnknownRecordError(no_lineage(store, task))
    return tip


def _asked(settings: Settings, task: str, *, who: str, why: str) -> str | None:
    """Give the command; why it could not be given, or None."""
    try:
        with TextProducer(settings, who=who, topics=[CONTROL]) as producer:
            producer.send_command(Action.FORGET, task, why=why)
    except (ProduceError, MissingTopicError) as error:
        return str(error)
    return None
