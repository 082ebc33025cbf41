"""Half-lives and horizons: what is learned is the directly weighted sum of what still counts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model.config import GateConfig, HeadConfig, RefreshConfig, TaskConfig
from model.data import Record
from model.journal import Row
from model.lineage_entry import LineageEntry
from model.state import TaskState
from model.statistics import Statistics
from schemas.evaluation import Outcome
from tests.model.loop import Loop, a_record, part_of, stream

DIM, NUM_LABELS = 5, 3


@pytest.fixture
def base(tiny_encoder_folder: Path) -> Path:
    """Shared with other tests, as the template of its graph is: one takes seconds to make."""
    return tiny_encoder_folder


def a_loop(folder: Path, base: Path, *, refresh: bool = False, **head: float) -> Loop:
    settings = {"projection": 16, "shrinkage": "oas"} | head
    changes = {} if refresh else {"refresh": RefreshConfig(enabled=False)}
    return Loop(folder, base, head=HeadConfig.model_validate(settings), **changes)


def learned_rows(loop: Loop) -> list[Row]:
    rows = [row for row in loop.state().journal if row.part == "learn" and row.features is not None]
    return sorted(rows, key=lambda row: row.offset)


def directly(state: TaskState, rows: Sequence[Row], weights: Sequence[float]) -> Statistics:
    index = state.label_index()
    return Statistics.of(
        np.stack([row.features for row in rows if row.features is not None]),
        [index[row.label] for row in rows],
        num_labels=len(index),
        weights=weights,
        projected=state.statistics.projected,
    )


def assert_same(left: Statistics, right: Statistics) -> None:
    for name in ("counts", "sums", "gram"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), rtol=0, atol=1e-8)


def in_windows(loop: Loop, records: Sequence[Record], size: int = 60) -> list[LineageEntry]:
    return [loop.learn(records[at : at + size]) for at in range(0, len(records), size)]


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 40), max_size=4),
    half_life=st.floats(0.5, 1e4),
    projected=st.sampled_from([0, 6]),
)
def test_decay_window_by_window_is_the_weighted_sum(
    cuts: list[int], half_life: float, projected: int
) -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(40, DIM)), rng.integers(0, NUM_LABELS, 40)
    clocks = (np.arange(40) + 1) / half_life
    stats = Statistics.empty(DIM, NUM_LABELS, projected=projected)
    for piece in np.split(np.arange(40), sorted(cuts)):
        stats = stats.decayed(max(clocks[piece], default=stats.clock))
        stats = stats.add(features[piece], labels[piece], 2.0 ** (clocks[piece] - stats.clock))
    whole = Statistics.of(
        features,
        labels,
        num_labels=NUM_LABELS,
        weights=2.0 ** (clocks - clocks[-1]),
        projected=projected,
    )
    assert_same(stats, whole)


@settings(max_examples=25, deadline=None)
@given(first=st.integers(1, 39), later=st.floats(0, 20), projected=st.sampled_from([0, 6]))
def test_a_record_is_subtracted_by_what_it_still_weighs(
    first: int, later: float, projected: int
) -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(40, DIM)), rng.integers(0, NUM_LABELS, 40)
    empty = Statistics.empty(DIM, NUM_LABELS, projected=projected)
    both = empty.add(features, labels).decayed(later)
    weight = np.full(first, 2.0**-later)
    left = both.subtract(features[:first], labels[:first], weight)
    assert_same(left, empty.add(features[first:], labels[first:]).decayed(later))


def test_merging_brings_both_to_the_later_clock() -> None:
    rng = np.random.default_rng(2)
    features, labels = rng.normal(size=(10, DIM)), rng.integers(0, NUM_LABELS, 10)
    early = Statistics.of(features, labels, num_labels=NUM_LABELS)
    late = Statistics.of(features, labels, num_labels=NUM_LABELS, clock=3.0)
    np.testing.assert_allclose((early + late).counts, early.counts * (1 + 1 / 8))
    assert (early + late).clock == (late + early).clock == 3.0
    assert Statistics.from_bytes(late.to_bytes()).clock == 3.0


def test_an_increment_halves_what_lies_a_half_life_of_records_back(
    tmp_path: Path, base: Path
) -> None:
    loop = a_loop(tmp_path, base, half_life_records=50)
    in_windows(loop, stream(180))
    rows = learned_rows(loop)
    ages = np.arange(len(rows))[::-1]
    assert_same(loop.state().statistics, directly(loop.state(), rows, list(2.0 ** (-ages / 50))))


def test_a_half_life_in_days_follows_event_time_whatever_the_order(
    tmp_path: Path, base: Path
) -> None:
    loop = a_loop(tmp_path, base, half_life_days=0.05)
    records = stream(180)
    times = [record.event_time for record in records]
    mixed = [replace(r, event_time=times[at]) for r, at in zip(records, mixed_up(180), strict=True)]
    in_windows(loop, mixed)
    rows = learned_rows(loop)
    newest = max(row.event_time for row in rows)
    weights = [2.0 ** (-((newest - row.event_time) / timedelta(days=0.05))) for row in rows]
    assert_same(loop.state().statistics, directly(loop.state(), rows, weights))


def mixed_up(count: int) -> list[int]:
    return [int(at) for at in np.random.default_rng(5).permutation(count)]


def test_a_correction_takes_back_what_the_old_label_still_weighs(
    tmp_path: Path, base: Path
) -> None:
    loop = a_loop(tmp_path, base, half_life_records=50)
    records = stream(120)
    in_windows(loop, records)
    wrong = next(record for record in records if part_of(loop, record.id) == "learn")
    mended = a_record(120, text=wrong.text, label="up", record_id=wrong.id)
    assert wrong.label != mended.label
    entry = loop.learn([mended, *stream(59, start=121)])
    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    rows = learned_rows(loop)
    clock = loop.state().statistics.clock
    weights = [2.0 ** (row.clock - clock) for row in rows]
    assert sum(row.id == wrong.id for row in rows) == 1
    assert_same(loop.state().statistics, directly(loop.state(), rows, weights))


@pytest.mark.parametrize(
    ("horizon", "kept"), [({"horizon_records": 70}, 70), ({"horizon_days": 0.05}, None)]
)
def test_records_behind_the_horizon_count_no_more(
    horizon: dict[str, float], kept: int | None, tmp_path: Path, base: Path
) -> None:
    loop = a_loop(tmp_path, base, refresh=False, **horizon)
    records = stream(240)
    in_windows(loop, records)
    learned = [r for r in records if part_of(loop, r.id) == "learn"]
    rows, state = learned_rows(loop), loop.state()
    assert [row.id for row in rows] == [record.id for record in learned[-len(rows) :]]
    if kept is not None:
        assert len(rows) == kept
    else:
        age = rows[-1].event_time - rows[0].event_time
        assert age < timedelta(days=0.05) <= rows[-1].event_time - records[0].event_time
    assert_same(state.statistics, directly(state, rows, [1.0] * len(rows)))
    assert_same(loop.state(loop.new_learner()).statistics, state.statistics)


def test_what_the_journal_no_longer_holds_has_left_the_horizon(tmp_path: Path, base: Path) -> None:
    head = HeadConfig(projection=0, shrinkage="oas", horizon_days=1000)
    gate = GateConfig(obey=False)  # what is set apart lies in the journal, too
    loop = Loop(tmp_path, base, head=head, gate=gate, duplicate_horizon_records=100)
    in_windows(loop, stream(240))
    rows = learned_rows(loop)
    assert len(rows) < 100
    assert_same(loop.state().statistics, directly(loop.state(), rows, [1.0] * len(rows)))


def test_a_refresh_keeps_the_horizon_and_the_decay(tmp_path: Path, base: Path) -> None:
    loop = a_loop(tmp_path, base, refresh=True, horizon_records=90, half_life_records=50)
    records = stream(240)
    in_windows(loop, records)
    before = loop.state().statistics
    entry = loop.refresh(records)
    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    rows, state = learned_rows(loop), loop.state()
    assert len(rows) == 90
    np.testing.assert_allclose(state.statistics.counts, before.counts, rtol=1e-6)
    weights = [row.weight * 2.0 ** (row.clock - state.statistics.clock) for row in rows]
    np.testing.assert_allclose([row.weight for row in rows], 1.0, rtol=1e-6)
    assert_same(state.statistics, directly(state, rows, weights))


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="only one can be given"):
        HeadConfig(half_life_records=10, half_life_days=1)
    with pytest.raises(ValidationError, match="20000 records of duplicate_horizon_records"):
        TaskConfig(head=HeadConfig(horizon_records=20_001))
