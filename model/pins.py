"""How a round and a prune that know nothing of each other agree on what stays.

A round whose entry will name files that the tip does not name (an encoder that was in the store
before, a version that a rollback restores) *pins* them first. A prune *condemns* what it is about
to delete first. Each writes its own word down before it reads the other's, and a store shows what
was written to whoever reads after that: so that at least one of the two sees the other, whatever
the clocks say and however long either of them sleeps in between (Dekker's algorithm, with files
for flags). A round that meets a condemned file tries again later; a prune lets pinned ones be. A
list that was left behind, or whose prune sleeps, is taken away by whoever meets it: a prune deletes
only while its list stands.

    tasks/<task>/attempts/<attempt>/pins.json    paths and folders; they count while the attempt
                                                 may still become an entry
    condemned/<prune>.json                       paths and folders; there while the prune is at work
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from model.errors import ArtifactRefusedError, CondemnedError, NotFoundError
from model.store import Store

PINS = "pins.json"
CONDEMNED = "condemned"
LIST_STALE = timedelta(minutes=15)
"""A list of condemned files that is older was left by a prune that died: it is taken away."""

_PATHS: TypeAdapter[list[str]] = TypeAdapter(list[str])


class Condemned(BaseModel):
    """What one prune is about to delete."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: AwareDatetime
    paths: tuple[str, ...]


def pin(store: Store, attempt: str, paths: Collection[str]) -> None:
    """Keep files for the entry that this attempt is going to write.

    1. Write the pins into the attempt's folder.
    2. Only then look whether a prune has condemned any of it.

    What a prune had deleted before is for the caller to look for, after this.

    Args:
        store: where versions live.
        attempt: its folder.
        paths: files, or folders with all that is in them.

    Raises:
        CondemnedError: a prune is about to delete some of it.
        StoreUnavailableError: the store does not answer.
    """
    store.put(f"{attempt}/{PINS}", _PATHS.dump_json(sorted(paths)))  # 1.
    for listed in standing_lists(store, now=datetime.now(UTC)):  # 2.
        for path in listed.paths:
            if covered(path, paths) or any(covered(each, (path,)) for each in paths):
                raise CondemnedError(f"{path} is being pruned at this moment; try again")


def pinned_by(store: Store, path: str) -> list[str]:
    """The paths that a file of pins names; none where it is gone.

    Raises:
        ArtifactRefusedError: it is not such a file.
    """
    try:
        return _PATHS.validate_json(store.get(path))
    except NotFoundError:
        return []
    except ValidationError as error:
        raise ArtifactRefusedError(f"{path} does not hold pins: {error}") from error


def condemn(store: Store, prune: str, paths: Iterable[str], *, now: datetime) -> str:
    """Write down what is about to be deleted; the path of the list comes back."""
    name = f"{CONDEMNED}/{prune}.json"
    listed = Condemned(since=now, paths=tuple(sorted(paths)))
    store.put(name, listed.model_dump_json().encode())
    return name


def standing_lists(store: Store, *, now: datetime) -> list[Condemned]:
    """What prunes are about to delete; a list that is stale is taken away."""
    found = []
    for path in store.list(CONDEMNED):
        listed = _condemned_by(store, path)
        if now - listed.since > LIST_STALE:
            store.delete(path)
        else:
            found.append(listed)
    return found


def _condemned_by(store: Store, path: str) -> Condemned:
    """What a list condemns; nothing where it is gone or unreadable, for then nobody obeys it."""
    try:
        return Condemned.model_validate_json(store.get(path))
    except (NotFoundError, ValidationError):
        return Condemned(since=datetime.min.replace(tzinfo=UTC), paths=())


def covered(path: str, by: Iterable[str]) -> bool:
    """Whether a path is one of these, or lies in a folder among them."""
    return any(path == each or path.startswith(f"{each}/") for each in by)
