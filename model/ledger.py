"""What the statistics hold of single records, also of those that the journal has let go."""

from collections.abc import Iterator
from dataclasses import dataclass

from model.denied import DenyList
from model.erasure import counted_rows
from model.errors import ArtifactRefusedError
from model.journal import Row, from_parquet
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.state import TaskState
from schemas.evaluation import Outcome


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the statistics after an entry hold of some records."""

    counted: tuple[Row, ...]
    """To be subtracted, with their features under the encoder of the statistics."""
    told: frozenset[str]
    """Ids of which it is known whether they are counted."""


def ledger_of(
    state: TaskState,
    lineage: Lineage,
    entry: LineageEntry,
    denied: DenyList,
    *,
    already: DenyList,
) -> Ledger:
    """Find the denied rows that the statistics hold.

    The journal is bounded, the statistics are not: rows that it has let go stand in the files of
    the rounds that made these statistics, back to the refresh that computed them anew. What that
    refresh read again of records that no journal held then is told by no row.

    Args:
        state: after `entry`.
        lineage: of the task.
        entry: whose statistics they are.
        denied: the records.
        already: what was denied when the statistics were written: it is subtracted.
    """
    newest: dict[str, Row] = {}
    for at in _made_by(lineage, entry):
        for row in reversed(journal_rows(lineage, at, denied)):
            newest.setdefault(row.id, row)
    apart = {row.id for rows in state.set_apart.values() for row in rows}
    let_go = [
        row
        for row in newest.values()
        if state.journal.get(row.id) is None
        and row.id not in apart
        and row.sequence not in entry.given_up
        and row.part == "learn"
        and row.weight > 0
        and row.features is not None
        and not already.covers(row)
    ]
    known = {row.id for row in state.journal if denied.covers(row)}
    return Ledger(
        counted=(*counted_rows(state, denied), *let_go),
        told=frozenset({*newest, *apart, *known}),
    )


def journal_rows(lineage: Lineage, entry: LineageEntry, denied: DenyList) -> list[Row]:
    """The denied rows that a round wrote, in order; none where its journal is gone."""
    held = entry.files.journal if entry.files else None
    if held is None:
        return []
    try:
        rows = from_parquet(lineage.store.fetch(held))
    except ArtifactRefusedError:
        return []
    return [row for row in rows if denied.covers(row)]


def _made_by(lineage: Lineage, entry: LineageEntry) -> Iterator[LineageEntry]:
    """The rounds whose rows the statistics are made of, the newest first."""
    while True:
        yield entry
        if entry.kind == "refresh" and entry.outcome is Outcome.PROMOTED:
            return
        before = entry.rollback.restores if entry.rollback else entry.sequence - 1
        if before < 0:
            return
        entry = lineage.entry(before)
