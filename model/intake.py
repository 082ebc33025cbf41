"""What an update takes in: each record of its windows meets one fate, and is counted once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.config import HoldoutConfig, TaskConfig
from model.data import Record
from model.denied import NOTHING, DenyList
from model.journal import Journal, Row
from model.label_limits import LabelLimits
from model.splits import Part, split_of, text_hash
from schemas.evaluation import RecordCounts


@dataclass(frozen=True, slots=True)
class Taken:
    """A record that is new to the task, and the side of the split on which it falls."""

    record: Record
    part: Part
    text_hash: str


@dataclass(frozen=True, slots=True)
class Intake:
    """The records to learn and to hold out, in log order, and what they replace."""

    taken: tuple[Taken, ...]
    taken_back: tuple[Row, ...]
    """Rows whose ids came again with another label: their old side is undone."""
    counts: RecordCounts
    trained_through: dict[str, int]
    labels: tuple[str, ...]
    """Known labels with the new ones behind, in order of arrival."""
    refused: Mapping[str, tuple[int, ...]]
    """Per `topic/partition`: offsets of the records whose labels are beyond the limits."""


def take_in(
    windows: Sequence[tuple[str, int, Sequence[Record]]],
    *,
    journal: Journal,
    labels: tuple[str, ...],
    trained_through: Mapping[str, int],
    split: HoldoutConfig,
    config: TaskConfig,
    denied: DenyList = NOTHING,
) -> Intake:
    """Trim, refuse labels beyond the limits, recognise duplicates and corrections, and split.

    A record below `trained_through` is accounted for by an earlier entry. An id that is known with
    the same label is a duplicate; with another label it is a correction, and the newest one counts.
    A record whose label is refused is as if it had not come: its id stays unknown.

    Args:
        windows: `topic/partition`, end offset (exclusive) and records of each window, in order.
        journal: the newest records that are known.
        labels: known labels.
        trained_through: per `topic/partition`.
        split: salt and share of the holdout, as frozen with the task.
        config: limits.
        denied: what must not be learned: it is passed over, whatever its label.
    """
    through = dict(trained_through)
    limits = LabelLimits(labels, max_new=config.max_new_labels, max_all=config.max_labels)
    refused: dict[str, list[int]] = {}
    fresh: dict[str, Record] = {}
    trimmed = duplicates = passed_over = 0
    taken_back: dict[str, Row] = {}
    for place, end, records in windows:
        below = through.get(place, 0)
        through[place] = max(below, end)
        limits.next_window()
        for record in records:
            known = journal.get(record.id)
            in_hand = fresh.get(record.id)
            if record.offset < below:
                trimmed += 1
            elif denied and denied.denies(record):
                passed_over += 1
            elif not limits.admits(record.label):
                refused.setdefault(place, []).append(record.offset)
            elif in_hand is not None:
                # The same id twice in one update: the newest label counts, the other is a repeat.
                duplicates += 1
                if in_hand.label != record.label:
                    fresh[record.id] = record
            elif known is not None and known.label == record.label:
                duplicates += 1
            else:
                fresh[record.id] = record
                if known is not None:
                    taken_back[record.id] = known
    placed = [_placed(record, split) for record in fresh.values()]
    corrected = len(taken_back)
    superseded, repeats = _known_texts(placed, journal)
    conflicting = len(superseded)
    if config.conflicting_labels == "newest":
        taken_back |= {row.id: row for row in superseded if isinstance(row, Row)}
        older = {item.record.id for item in superseded if isinstance(item, Taken)}
        placed = [item for item in placed if item.record.id not in older]
        duplicates += len(older)
    taken = tuple(placed)
    counts = RecordCounts(
        learned=sum(item.part == "learn" for item in taken),
        held_out=sum(item.part != "learn" for item in taken),
        duplicates=duplicates,
        skipped=passed_over,
        denied=passed_over,
        trimmed=trimmed,
        refused=sum(map(len, refused.values())),
        corrected=corrected,
        conflicting=conflicting,
        repeated=sum(item.record.id in repeats for item in taken),
    )
    return Intake(
        taken,
        tuple(taken_back.values()),
        counts,
        through,
        tuple(dict.fromkeys((*labels, *(item.record.label for item in taken)))),
        {place: tuple(offsets) for place, offsets in refused.items()},
    )


def _placed(record: Record, split: HoldoutConfig) -> Taken:
    part = split_of(record.text, salt=split.salt, share=split.share)
    return Taken(record, part, text_hash(record.text))


def _known_texts(
    placed: Sequence[Taken], journal: Journal
) -> tuple[list[Taken | Row], frozenset[str]]:
    """Texts that are known under another id.

    With another label they conflict: the older of each two is named. With the same label they
    repeat: the ids of the newer ones.
    """
    newest: dict[str, Taken | Row] = {}
    superseded: list[Taken | Row] = []
    repeats: set[str] = set()
    for item in placed:
        other = newest.get(item.text_hash) or journal.of_text(item.text_hash)
        if other is not None:
            record_id, label = _id_and_label(other)
            if record_id != item.record.id and label != item.record.label:
                superseded.append(other)
            elif record_id != item.record.id:
                repeats.add(item.record.id)
        newest[item.text_hash] = item
    return superseded, frozenset(repeats)


def _id_and_label(known: Taken | Row) -> tuple[str, str]:
    record = known.record if isinstance(known, Taken) else known
    return record.id, record.label
