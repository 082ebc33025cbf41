"""The dead letters of records whose labels a round refused; derived from its entry alone."""

from collections.abc import Iterator

from consumers.remedies import with_advice
from model.label_limits import MOST_LABEL_BYTES
from model.lineage_entry import LineageEntry
from schemas.dead_letter import DeadLetter

TOO_MANY_LABELS = "too_many_labels"
"""Their reason."""


def refused_labels(entry: LineageEntry) -> Iterator[DeadLetter]:
    """One for each record, the same ones each time.

    The log holds the records; the entry names only their places.
    """
    why = _why(entry)
    for place, offsets in entry.refused.items():
        topic, partition = place.rsplit("/", 1)
        for offset in offsets:
            yield DeadLetter(
                topic=topic,
                partition=int(partition),
                offset=offset,
                reason=TOO_MANY_LABELS,
                detail=with_advice(TOO_MANY_LABELS, f"{place}/{offset}: {why}"),
                key=None,
                value=None,
                whole=False,
                task=entry.task,
                dead_at=entry.created_at,
            )


def _why(entry: LineageEntry) -> str:
    config = entry.config
    return (
        f"its label is new, and one too many: {entry.task} has {len(entry.labels)} labels, may "
        f"have max_labels = {config.max_labels} (and {MOST_LABEL_BYTES} bytes of them), and one "
        f"window may add max_new_labels = {config.max_new_labels}"
    )
