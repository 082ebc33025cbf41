"""The rounds that a store holds, as commands ask for them: by task and number."""

from consumers.options import settings_of
from model.artifacts import ArtifactStore
from model.errors import NotFoundError, RejectError
from model.lineage import Lineage, no_lineage
from model.lineage_entry import LineageEntry
from model.retention import own_paths


class UnknownTaskError(RejectError):
    """The store has no lineage of such a task, or no such round of it."""


def opened_store(store: str | None) -> ArtifactStore:
    """The store of the settings; it must be there."""
    return ArtifactStore(settings_of(store=store).store, must_exist=True)


def check_known(store: ArtifactStore, task: str) -> None:
    """Refuse a task that has no lineage.

    Raises:
        UnknownTaskError: it has none; the message names those that have.
    """
    if Lineage(store, task).tip() is None:
        raise UnknownTaskError(no_lineage(store, task))


def entries_of(store: ArtifactStore, task: str) -> list[LineageEntry]:
    """All rounds of a task, oldest first.

    Raises:
        UnknownTaskError: it has no lineage.
    """
    lineage = Lineage(store, task)
    entries = [lineage.entry(sequence) for sequence in lineage.sequences()]
    if not entries:
        raise UnknownTaskError(no_lineage(store, task))
    return entries


def entry_of(store: ArtifactStore, task: str, sequence: int | None) -> LineageEntry:
    """One round of a task; None is the one that serves, else the last.

    Raises:
        UnknownTaskError: it has no lineage, or no such round.
    """
    if sequence is not None:
        check_known(store, task)
        try:
            return Lineage(store, task).entry(sequence)
        except NotFoundError as error:
            msg = f"task {task!r} has no round {sequence} in {store.uri}; see `freshet models list`"
            raise UnknownTaskError(msg) from error
    entries = entries_of(store, task)
    serving = entries[-1].serving
    return entries[-1] if serving is None else next(e for e in entries if e.sequence == serving)


def pruned(store: ArtifactStore, entry: LineageEntry) -> list[tuple[str, str]]:
    """What to say of a round whose files are gone, by `freshet models prune` or otherwise."""
    gone = sorted(path for path in own_paths(entry) if not store.holds(path))
    if not gone:
        return []
    names = ", ".join(path.rsplit("/", 1)[-1] for path in gone)
    return [("pruned", f"gone are {names}; no rollback leads back to it")]
