"""Recomputes what a task knows of its records under another encoder."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from model.ageing import clocks_again
from model.config import TaskConfig
from model.data import Progress
from model.deltas import applied
from model.encoder import Encoder, Features
from model.feature_cache import FeatureCache
from model.feature_map import FeatureMap, fit_map
from model.journal import Row
from model.reencode import Seconds, reencoded
from model.reread import Reread, not_learned
from model.splits import text_hash
from model.state import TaskState, stacked
from model.statistics import Statistics

_LEAST = 1e-9
"""A label of which less is left counts for nothing, however much was seen."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The state under the new encoder, every row that is still known, and how it was come by."""

    state: TaskState
    rows: tuple[Row, ...]
    covered: float
    """Share of the learned records whose features are the new encoder's own."""
    metrics: dict[str, float]


def recomputed(
    state: TaskState,
    encoder: Encoder,
    reread: Reread,
    *,
    config: TaskConfig,
    cache: FeatureCache,
    progress: Progress,
    now: Seconds = time.monotonic,
) -> Recomputed:
    """What is known, under the new encoder.

    1. Records that were read again are encoded, as far as the budget goes.
    2. Rows whose texts are gone get mapped features; where no map can be fitted they stay known by
       id, without features.
    3. Each label weighs as often as it was seen: what lies behind the journal is made up for by
       weight.

    Args:
        state: under the encoder before.
        encoder: the new one.
        reread: the records at hand.
        config: the budget, how records age, and the random features that statistics hold from now.
        cache: of features.
        progress: told how many texts are encoded.
        now: monotonic, in seconds.
    """
    holdout = state.holdout.rows
    at_hand = len(reread.learned) + len(reread.apart)
    progress("recomputing", records=at_hand + len(holdout))
    held_out = cache.features(encoder, [row.text for row in holdout])
    encoded = reencoded(  # 1.
        encoder,
        reread,
        cache=cache,
        seconds=config.refresh.reread_seconds,
        first_per_label=config.refresh.min_records_per_label,
        clock=now,
    )
    records = [*encoded.reread.learned, *encoded.reread.apart]
    features = encoded.features
    by_id = {row.id: held_out[number] for number, row in enumerate(holdout)}
    known_at = _clocks(encoded.reread, state, config)
    again = {
        record.id: Row.of(
            record,
            part="learn",
            sequence=sequence,
            text_hash=text_hash(record.text),
            features=features[number],
            clock=known_at[record.id],
        )
        for number, (record, sequence) in enumerate(records)
    }
    carried = _carried(state, again)  # 2.
    known, apart = {**carried, **again}, not_learned(state, config)
    weights = _weights((row for row in known.values() if row.sequence not in apart), state)  # 3.
    known = {
        record_id: row if row.sequence in apart else replace(row, weight=weights[row.label])
        for record_id, row in known.items()
    }
    rows = tuple(
        known.get(row.id) or replace(row, features=by_id.get(row.id), mapped=False)
        for row in state.journal
    )
    index = state.label_index()
    nothing = Statistics.empty(
        encoder.dim, len(index), projected=config.head.projection, clock=state.statistics.clock
    )
    refreshed = replace(
        state,
        encoder=encoder,
        statistics=applied(
            nothing,
            [row for row in known.values() if row.sequence not in apart],
            index,
        ),
        journal=state.journal.replaced(rows),
        set_apart={
            sequence: tuple(row for row in rows if row.sequence == sequence)
            for sequence in state.set_apart
        },
        features=by_id,
    )
    figures = {
        "encoded_records": len(records) + len(holdout),
        "mapped_records": len(carried),
        "remembered_records": reread.remembered,
        "uncovered_labels": _uncovered(state, refreshed),
    }
    return Recomputed(
        state=refreshed,
        rows=rows,
        covered=min(1.0, len(encoded.reread.learned) / max(1.0, state.statistics.num_records)),
        metrics={name: float(figure) for name, figure in figures.items() if figure},
    )


def _uncovered(state: TaskState, refreshed: TaskState) -> int:
    """How many learned labels have no record left: the new head cannot give them."""
    before = state.statistics.counts > 0
    return int((before & (refreshed.statistics.counts[: len(before)] == 0)).sum())


def _carried(state: TaskState, again: Mapping[str, Row]) -> dict[str, Row]:
    """Rows that were not read again, with mapped features, by id."""
    given_up = state.tip.given_up if state.tip else ()
    gone = [
        row
        for row in state.journal
        if row.part == "learn"
        and row.features is not None
        and row.id not in again
        and row.sequence not in given_up
    ]
    carry = _map(state, again) if gone else None
    if carry is None:
        return {}
    dim = state.encoder.dim
    moved = carry(stacked([row.features for row in gone if row.features is not None], dim))
    return {
        row.id: replace(row, features=moved[number], mapped=True) for number, row in enumerate(gone)
    }


def _map(state: TaskState, again: Mapping[str, Row]) -> FeatureMap | None:
    """A map fitted on the records that have exact features under both encoders."""
    old: list[Features] = []
    new: list[Features] = []
    for row in state.journal:
        now = again.get(row.id)
        if now is None or now.features is None or row.features is None or row.mapped:
            continue
        old.append(row.features)
        new.append(now.features)
    dim = state.encoder.dim
    return fit_map(stacked(old, dim), stacked(new, dim))


def _clocks(reread: Reread, state: TaskState, config: TaskConfig) -> dict[str, float]:
    """The clock of each record: its own where the journal knows it, else by its place or time.

    A rejected record that is not known any more is as old as the newest.
    """
    times = [record.event_time for record, _ in reread.learned]
    placed = zip(reread.learned, clocks_again(times, state, config.head), strict=True)
    clocks = {record.id: state.statistics.clock for record, _ in reread.apart}
    clocks |= {record.id: at for (record, _), at in placed}
    return clocks | {row.id: row.clock for row in state.journal if row.id in clocks}


def _weights(rows: Iterable[Row], state: TaskState) -> Mapping[str, float]:
    """What one record of each label stands for, so that labels weigh as often as they were seen."""
    covered: dict[str, float] = defaultdict(float)
    for row in rows:
        covered[row.label] += 2.0 ** (row.clock - state.statistics.clock)
    seen = dict(zip(state.labels, state.statistics.counts, strict=False))
    return {
        label: max(1.0, float(seen.get(label, 0.0)) / max(count, _LEAST))
        for label, count in covered.items()
    }
