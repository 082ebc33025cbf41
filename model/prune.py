"""Removes from the store what no kept version needs. Lineage entries stay: they are the history."""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic

from model.artifacts import ArtifactStore, Stored
from model.config import RetentionConfig
from model.lineage import Lineage, attempts_folder, encoder_folder, sequence_of_attempt
from model.lineage_entry import LineageEntry
from model.pins import PINS, condemn, covered, pinned_by, standing_lists
from model.retention import Entries, Kept, files_of, kept

DELETE_WITHIN_SECONDS = 300.0
"""A prune that takes longer leaves the rest to the next."""

ConfigOf = Callable[[str], RetentionConfig | None]
"""How much of a task is kept; None is as its last round was told."""
Served = Mapping[str, Collection[int]]


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """What stays and what may go of one task."""

    kept: tuple[Kept, ...]
    files: frozenset[str]
    """Paths that stay, those of encoders among them."""
    doomed: tuple[Stored, ...]
    """Files of attempts that no kept entry names."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune decided, and did unless it only looked."""

    tasks: Mapping[str, TaskPlan]
    encoders: tuple[Stored, ...] = ()
    """Files of encoders that no kept version uses."""
    deleted: tuple[str, ...] = field(default=())

    @property
    def doomed(self) -> tuple[Stored, ...]:
        """All that may go, in order of their names."""
        of_tasks = (each for plan in self.tasks.values() for each in plan.doomed)
        return tuple(sorted((*of_tasks, *self.encoders), key=lambda each: each.path))

    @property
    def size_bytes(self) -> int:
        """Of all that may go."""
        return sum(each.size_bytes for each in self.doomed)


def prune(
    store: ArtifactStore,
    config_of: ConfigOf,
    *,
    served: Served,
    clock: Callable[[], datetime],
    task: str | None = None,
    dry_run: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Remove what no kept version of any task needs.

    1. Decide, from the tips and from what the store lists.
    2. Condemn: write down what is about to be deleted, so that a round that would name some of it
       again sees that (`model.pins`).
    3. Decide again, from the tips and the pins as they are now. What is wanted by now stays.
    4. Delete file by file.
    5. Take the list away.

    A crash leaves files that nobody names, which the next prune finds again, and perhaps a list,
    which it removes once that is stale. What a round in flight writes is never touched: its attempt
    is numbered past the tip, and an attempt that is not can never become an entry. Several prunes
    at once delete the same.

    Args:
        store: where versions live.
        config_of: how much of a task is kept; None is as its last round was told.
        served: versions that are known to answer, by task.
        clock: now, aware.
        task: only its attempts; encoders are looked at for all tasks in any case.
        dry_run: decide only.
        stopped: asked before each file whether to leave the rest to the next prune.

    Raises:
        ArtifactRefusedError: an entry cannot be read, so that what it needs is not known.
        StoreUnavailableError: the store does not answer; what was deleted by then is gone.
    """
    began, now = monotonic(), clock()
    decided = _decide(store, config_of, served=served, now=now, task=task)  # 1.
    if dry_run:
        return decided
    standing_lists(store, now=now)  # those of prunes that died are taken away
    if not decided.doomed:
        return decided
    paths = [each.path for each in decided.doomed]
    listed = condemn(store, uuid.uuid4().hex, paths, now=now)  # 2.
    try:
        still = _decide(store, config_of, served=served, now=now, task=task)  # 3.
        wanted = frozenset(paths) - {each.path for each in still.doomed}
        deleted = []
        for path in paths:
            late = monotonic() - began > DELETE_WITHIN_SECONDS
            if stopped() or late or not store.holds(listed):
                break
            if path not in wanted:
                store.remove(path)  # 4.
                deleted.append(path)
    finally:
        store.remove(listed)  # 5.
    return Pruned(still.tasks, still.encoders, tuple(deleted))


def _decide(
    store: ArtifactStore, config_of: ConfigOf, *, served: Served, now: datetime, task: str | None
) -> Pruned:
    plans: dict[str, TaskPlan] = {}
    pinned: list[str] = []
    youngest = now - timedelta(hours=1)
    for name in store.folders("tasks"):
        lineage = Lineage(store, name)
        tip, attempts = _seen(store, lineage)
        pinned += _pins(store, attempts, tip)
        if tip is not None:
            entry = lru_cache(maxsize=None)(lineage.entry)
            answering = frozenset(served.get(name, ()))
            config = config_of(name) or tip.config.retention
            stay = kept(tip, entry, config=config, served=answering, now=now)
            files = files_of(stay, tip, entry)
            aged = now - timedelta(hours=config.attempt_hours)
            youngest = min(youngest, aged)  # encoders stay as the most patient task says
            gone = (each for each in attempts if each.path not in files and _over(each, tip))
            plans[name] = TaskPlan(stay, files, tuple(_settled(gone, entry, aged)))
    stays = frozenset().union(*(plan.files for plan in plans.values()))
    encoders = _unused(store, stays, pinned, youngest)
    free = {
        name: TaskPlan(plan.kept, plan.files, _unpinned(plan.doomed, pinned))
        for name, plan in plans.items()
        if task in (None, name)
    }
    return Pruned(free, tuple(encoders))


def _seen(store: ArtifactStore, lineage: Lineage) -> tuple[LineageEntry | None, tuple[Stored, ...]]:
    """The tip, and what was there while it was the tip.

    Whoever extends the lineage from then on has an attempt numbered past it. Where the tip moved
    meanwhile, another prune may have taken the new entry's pins away already: look again.
    """
    tip = lineage.tip()
    while True:
        listed = store.listed(attempts_folder(lineage.task))
        later = lineage.tip(tip)
        if later is tip:
            return tip, listed
        tip = later


def _settled(files: Iterable[Stored], entry: Entries, aged: datetime) -> Iterator[Stored]:
    """Those of attempts that became entries, and those of others that are old enough."""
    for each in files:
        if each.modified < aged or entry(_sequence(each)).attempt == _attempt(each):
            yield each


def _over(file: Stored, tip: LineageEntry) -> bool:
    """Whether the attempt has become an entry or can never become one: its number is taken."""
    sequence = sequence_of_attempt(_attempt(file))
    return sequence is not None and sequence <= tip.sequence


def _attempt(file: Stored) -> str:
    return file.path.split("/")[3]


def _sequence(file: Stored) -> int:
    return sequence_of_attempt(_attempt(file)) or 0


def _pins(
    store: ArtifactStore, attempts: Collection[Stored], tip: LineageEntry | None
) -> Iterator[str]:
    """What attempts that may still become entries are going to name."""
    for each in attempts:
        if each.path.endswith(f"/{PINS}") and (tip is None or not _over(each, tip)):
            yield from pinned_by(store, each.path)


def _unused(
    store: ArtifactStore, stays: Collection[str], pinned: Collection[str], youngest: datetime
) -> Iterator[Stored]:
    """The files of encoders none of whose files stays."""
    used = {path.split("/")[1] for path in stays if path.startswith("encoders/")}
    for digest in store.folders("encoders"):
        folder = encoder_folder(digest)
        if digest in used or covered(folder, pinned):
            continue
        files = _unpinned(store.listed(folder), pinned)
        if all(each.modified < youngest for each in files):
            yield from files


def _unpinned(files: Collection[Stored], pinned: Collection[str]) -> tuple[Stored, ...]:
    return tuple(each for each in files if not covered(each.path, pinned))
