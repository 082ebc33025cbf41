"""Which files of a task must stay in the store, and why. Decides, and touches nothing.

A lineage's entries stay for ever: they are its history. Its files go by reference: what stays is
told here version by version, and whatever no such version names may go.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal

from model.config import RetentionConfig
from model.lineage_entry import LineageEntry
from schemas.model_version import Artifact

Entries = Callable[[int], LineageEntry]
"""Gives an entry of the lineage by its sequence."""

Use = Literal["resume", "restore", "serve", "compare"]
"""What an entry's files are kept for.

`resume`: the next round begins with its state. `restore`: it can serve and be learned on again.
`serve`: a follower can load it. `compare`: its head answers beside a candidate.
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry whose files stay."""

    sequence: int
    use: Use
    why: str


def kept(
    tip: LineageEntry,
    entry: Entries,
    *,
    config: RetentionConfig,
    served: Collection[int],
    now: datetime,
) -> tuple[Kept, ...]:
    """The entries whose files stay, each with its reason; one may be there for several.

    Args:
        tip: the last entry.
        entry: gives those before it.
        config: how much is kept.
        served: versions that recent predictions name.
        now: aware.
    """
    return (
        Kept(tip.sequence, "resume", "the next round begins with it"),
        *_needed_by_the_tip(tip),
        *_recent(tip, entry, config=config, now=now),
        *_ensemble(tip, entry, config.ensemble),
        *(
            Kept(version, "serve", "recent predictions name it")
            for version in sorted(served)
            if version <= tip.sequence
        ),
    )


def files_of(kept: Collection[Kept], tip: LineageEntry, entry: Entries) -> frozenset[str]:
    """The paths of all that these entries need, their encoders' among them.

    Journals stay without a gap from the oldest that a kept state is read from up to the tip: a
    rollback tells again what happened since.
    """
    told = [(one.use, entry(one.sequence)) for one in kept]
    told += [(use, origin(held, entry)) for use, held in told]
    states = [held for use, held in told if use in ("resume", "restore")]
    first = min((_journals_from(held, entry) for held in states), default=tip.sequence)
    journals = (entry(sequence).files for sequence in range(first, tip.sequence + 1))
    found: set[str] = {held.journal.path for held in journals if held and held.journal}
    for use, held in told:
        found.update(artifact.path for artifact in _artifacts(use, held))
    return frozenset(found)


def origin(held: LineageEntry, entry: Entries) -> LineageEntry:
    """The entry that first had the version which a rollback restored; any other is its own."""
    while held.rollback is not None:
        held = entry(held.rollback.restores)
    return held


def own_paths(held: LineageEntry) -> frozenset[str]:
    """The paths of all that an entry names."""
    journal = held.files.journal if held.files else None
    artifacts = chain(_artifacts("restore", held), (journal,) if journal else ())
    return frozenset(artifact.path for artifact in artifacts)


def _needed_by_the_tip(tip: LineageEntry) -> Iterator[Kept]:
    if tip.serving is not None:
        yield Kept(tip.serving, "restore", "it serves")
    if tip.anchor is not None:
        yield Kept(tip.anchor.version, "compare", "candidates are tested beside it")
    if tip.probation is not None:
        yield Kept(tip.probation.version, "restore", "it answers beside what serves")
    if tip.trial is not None:
        yield Kept(tip.trial.version, "restore", "a refreshed encoder is on trial beside it")
        yield Kept(tip.trial.refreshed, "compare", "its encoder is on trial")


def _recent(
    tip: LineageEntry, entry: Entries, *, config: RetentionConfig, now: datetime
) -> Iterator[Kept]:
    """The last versions, by number and by age, newest first."""
    younger = now - timedelta(days=config.days)
    replaced_later = now - timedelta(hours=config.serving_hours)
    replaced_at = now
    for number, held in enumerate(_champions(tip, entry)):
        reasons: list[Kept] = []
        if number < config.versions:
            reasons.append(_kept(held, "restore", f"one of the last {config.versions} versions"))
        if held.created_at > younger:
            reasons.append(_kept(held, "restore", f"promoted within {config.days:g} days"))
        if replaced_at > replaced_later:
            why = f"replaced within {config.serving_hours:g} hours: a serve role may hold it"
            reasons.append(_kept(held, "serve", why))
        if not reasons:
            return
        yield from reasons
        replaced_at = held.created_at


def _ensemble(tip: LineageEntry, entry: Entries, members: int) -> Iterator[Kept]:
    """As `model.standalone` finds them: what a rollback took back is no member."""
    encoders: set[str] = set()
    held = None if tip.serving is None else origin(entry(tip.serving), entry)
    while held is not None and held.version is not None and len(encoders) < members:
        if held.encoder is not None and held.encoder.digest not in encoders:
            encoders.add(held.encoder.digest)
            yield _kept(held, "restore", "an ensemble has it as a member")
        parent = held.version.parent
        held = None if parent is None else origin(entry(parent), entry)


def _champions(tip: LineageEntry, entry: Entries) -> Iterator[LineageEntry]:
    """Every version that ever served, newest first: each names the one that it replaced."""
    sequence = tip.serving
    while sequence is not None:
        held = entry(sequence)
        yield held
        sequence = held.version.parent if held.version else None


def _kept(held: LineageEntry, use: Use, why: str) -> Kept:
    return Kept(held.sequence, use, why)


def _journals_from(held: LineageEntry, entry: Entries) -> int:
    """The oldest entry whose journal the state after this one is read from."""
    while held.files is not None and held.sequence > 0:
        if held.files.journal_from is not None:
            return held.files.journal_from
        if held.files.journal_is_snapshot:
            break
        held = entry(held.sequence - 1)
    return held.sequence


def _artifacts(use: Use, held: LineageEntry) -> Iterator[Artifact]:
    """Journals apart, of which a state needs a chain."""
    files, version = held.files, held.version
    if version is not None and use in ("restore", "serve"):
        yield from (version.encoder, version.tokenizer, version.head)
    if files is not None and use != "serve":
        whole = (files.statistics, files.holdout, files.head, files.replay)
        yield from (each for each in ((files.head,) if use == "compare" else whole) if each)
    if held.encoder is not None and use in ("resume", "restore"):
        encoder = held.encoder
        yield from (*encoder.files.values(), encoder.graph, encoder.tokenizer)
