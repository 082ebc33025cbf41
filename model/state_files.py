"""The files of a state in the store: what a round changed is written, the rest named as it lies."""

from collections.abc import Callable

from model.findings import Findings
from model.journal import to_parquet
from model.lineage import Lineage
from model.lineage_entry import StateFiles
from model.state import TaskState
from schemas.model_version import Artifact


def write_files(
    before: TaskState, after: TaskState, findings: Findings, lineage: Lineage, folder: str
) -> StateFiles | None:
    """Write what this round changed under its folder; None where nothing was ever learned."""
    held = before.tip.files if before.tip else None
    if held is None and after is before:
        return None

    def written(name: str, data: Callable[[], bytes]) -> Artifact:
        return lineage.store.put(f"{folder}/{name}", data())

    statistics, holdout, head = (held.statistics, held.holdout, held.head) if held else (None,) * 3
    replay = held.replay if held else None
    if statistics is None or after.statistics is not before.statistics:
        statistics = written("statistics.safetensors", after.statistics.to_bytes)
    if holdout is None or after.holdout is not before.holdout:
        holdout = written("holdout.parquet", after.holdout.to_bytes)
    if after.head is not None and after.head is not before.head:
        head = written("head.safetensors", after.head.to_bytes)
    if after.replay is not before.replay:
        replay = written("replay.parquet", after.replay.to_bytes)
    journal = None
    if findings.rows or findings.snapshot:  # an empty one ends what was known, too
        dim = after.encoder.dim
        journal = written("journal.parquet", lambda: to_parquet(findings.rows, dim=dim))
    return StateFiles(
        statistics=statistics,
        journal=journal,
        journal_is_snapshot=findings.snapshot,
        journal_from=_journal_from(before, after, snapshot=findings.snapshot),
        holdout=holdout,
        head=head,
        replay=replay,
    )


def _journal_from(before: TaskState, after: TaskState, *, snapshot: bool) -> int:
    """The oldest entry whose journal still counts.

    A row names the entry that brought it, whose journal holds it, unless a snapshot does by now, or
    it was reinstated and names none: both lie behind what counted before.
    """
    held = before.tip.files if before.tip else None
    if snapshot or held is None:
        return before.sequence
    rows = (row.sequence for row in after.journal)
    oldest = min(rows, default=before.sequence)
    return max(held.journal_from or 0, min(oldest, *after.set_apart, before.sequence))
