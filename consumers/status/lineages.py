"""What the store says of each task."""

from datetime import timedelta

from consumers.status.facts import Attempt, Round, Task
from model.artifacts import ArtifactStore
from model.clean_start import clean_start
from model.lineage import Lineage, attempts_folder
from model.lineage_entry import LineageEntry
from schemas.evaluation import Outcome

MOST_LOOKED_BACK = 20
"""Entries that are read to count rejections in a row."""


def lineage_of(store: ArtifactStore, task: str) -> tuple[Task, LineageEntry | None]:
    """What the store says of a task, and its last entry.

    Raises:
        ArtifactRefusedError: an entry cannot be read.
        StoreUnavailableError: the store does not answer.
    """
    lineage = Lineage(store, task)
    tip = lineage.tip()
    attempt = _attempt(store, task, tip)
    if tip is None:
        return Task(task=task, attempt=attempt), None
    serving = tip if tip.serving in (None, tip.sequence) else lineage.entry(tip.serving)
    return Task(
        task=task,
        serves=tip.serving,
        serves_since=serving.created_at if tip.serving is not None else None,
        last=Round(
            sequence=tip.sequence,
            kind=tip.kind,
            outcome=tip.outcome.value,
            reason=tip.evaluation.reason,
            at=tip.created_at,
        ),
        rejected_in_a_row=_rejected_in_a_row(lineage, tip),
        forgotten_in_encoder=clean_start(lineage, tip) is not None,
        attempt=attempt,
    ), tip


def _rejected_in_a_row(lineage: Lineage, tip: LineageEntry) -> int:
    """Rounds that were skipped or failed neither count nor end the row."""
    count = 0
    for number, entry in enumerate(lineage.back_from(tip)):
        if number >= MOST_LOOKED_BACK or entry.outcome in (Outcome.PROMOTED, Outcome.ROLLED_BACK):
            break
        count += entry.outcome is Outcome.REJECTED
    return count


def _attempt(store: ArtifactStore, task: str, tip: LineageEntry | None) -> Attempt | None:
    """The newest attempt past the tip: its round has no entry yet."""
    folder = attempts_folder(task)
    past = None if tip is None else f"{folder}/{tip.sequence:08d}-~"  # behind every name of it
    files = store.listed(folder, after=past)
    if not files:
        return None
    newest = max(files, key=lambda each: each.modified)
    name = newest.path.split("/")[3]
    began = min(each.modified for each in files if each.path.split("/")[3] == name)
    return Attempt(name=name, since=began)


IN_HAND_FOR = timedelta(minutes=30)
"""An attempt whose files are older was abandoned, most likely."""
