"""Recomputes what a task knows of its records under another encoder."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from model.ageing import clocks_again
from model.config import HeadConfig
from model.data import Progress, Record
from model.deltas import applied
from model.encoder import Encoder, Features
from model.journal import Row
from model.reread import Reread
from model.splits import text_hash
from model.state import TaskState
from model.statistics import Statistics

_LEAST = 1e-9
"""A label of which less is left counts for nothing, however much was seen."""


def recomputed(
    state: TaskState, encoder: Encoder, reread: Reread, *, config: HeadConfig, progress: Progress
) -> tuple[TaskState, tuple[Row, ...]]:
    """The state under the new encoder, with every row that is still known.

    Rows whose records were not read again stay known by id, without features. `config` says how
    records age and how many random features the statistics hold from now on.
    """
    records = [*reread.learned, *reread.apart]
    holdout = state.holdout.rows
    progress("recomputing", records=len(records) + len(holdout))
    features = encoder.features([record.text for record, _ in records])
    held_out = encoder.features([row.text for row in holdout])
    by_id = {row.id: held_out[number] for number, row in enumerate(holdout)}
    clocks = clocks_again([record.event_time for record, _ in reread.learned], state, config)
    clock = state.statistics.clock
    weights = _weights(reread.learned, [2.0 ** (at - clock) for at in clocks], state)
    # A rejected record keeps its clock; where it is not known any more, it is as old as the newest.
    known = {row.id: row.clock for row in state.journal if row.sequence in state.set_apart}
    known |= {record.id: at for (record, _), at in zip(reread.learned, clocks, strict=True)}
    again = {
        record.id: _row(
            record,
            sequence,
            1.0 if sequence in state.set_apart else weights[record.label],
            features[number],
            known.get(record.id, clock),
        )
        for number, (record, sequence) in enumerate(records)
    }
    rows = tuple(
        again.get(row.id) or replace(row, features=by_id.get(row.id)) for row in state.journal
    )
    index = state.label_index()
    apart = {
        sequence: tuple(row for row in rows if row.sequence == sequence)
        for sequence in state.set_apart
    }
    learned = [again[record.id] for record, _ in reread.learned]
    nothing = Statistics.empty(encoder.dim, len(index), projected=config.projection, clock=clock)
    statistics = applied(nothing, learned, index)
    refreshed = replace(
        state,
        encoder=encoder,
        statistics=statistics,
        journal=state.journal.replaced(rows),
        set_apart=apart,
        features=by_id,
    )
    return refreshed, rows


def uncovered(state: TaskState, refreshed: TaskState) -> dict[str, float]:
    """How many learned labels have no record left in the log: the new head cannot give them."""
    before = state.statistics.counts > 0
    lost = int((before & (refreshed.statistics.counts[: len(before)] == 0)).sum())
    return {"uncovered_labels": float(lost)} if lost else {}


def _weights(
    learned: Sequence[tuple[Record, int]], left: Sequence[float], state: TaskState
) -> Mapping[str, float]:
    """What one record of each label stands for, so that labels weigh as often as they were seen."""
    covered: dict[str, float] = defaultdict(float)
    for (record, _), part in zip(learned, left, strict=True):
        covered[record.label] += part
    seen = dict(zip(state.labels, state.statistics.counts, strict=False))
    return {
        label: max(1.0, float(seen.get(label, 0.0)) / max(count, _LEAST))
        for label, count in covered.items()
    }


def _row(record: Record, sequence: int, weight: float, features: Features, clock: float) -> Row:
    return Row(
        id=record.id,
        label=record.label,
        part="learn",
        sequence=sequence,
        text_hash=text_hash(record.text),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        event_time=record.event_time,
        weight=weight,
        features=features,
        clock=clock,
    )
