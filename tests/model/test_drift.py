"""Drift is told from chance, from new labels and from getting better, and survives a restart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import DriftConfig, FeedbackConfig, GateConfig, RefreshConfig
from model.drift import MOST_ERRORS, Change, Watch, after_drift, answered, best_split, watched
from model.due import refresh_due
from model.lineage_entry import LineageEntry
from model.plan import Plan
from tests.model.loop import TASK, TIME, Loop, stream

CONFIG = DriftConfig()


def watch_windows(rates: list[float], *, records: int, seed: int) -> list[Change | None]:
    """What each window of a stream gives whose errors come at these rates."""
    chance = np.random.default_rng(seed)
    watch, found = Watch(), []
    for sequence, rate in enumerate(rates):
        wrong = chance.random(records) < rate
        watch, change = watched(
            watch, wrong, sequence=sequence, seen=sequence * records, config=CONFIG
        )
        found.append(change)
    return found


@pytest.mark.parametrize(("rate", "records"), [(0.05, 200), (0.2, 200), (0.35, 500)])
def test_fifty_windows_of_the_same_error_rarely_raise_an_alarm(rate: float, records: int) -> None:
    alarms = [any(watch_windows([rate] * 50, records=records, seed=seed)) for seed in range(10)]

    assert sum(alarms) <= 1


@pytest.mark.parametrize(("rate", "records"), [(0.05, 200), (0.2, 500), (0.35, 500)])
def test_a_rise_by_ten_points_is_seen_within_two_windows(rate: float, records: int) -> None:
    seen = [
        any(watch_windows([rate] * 10 + [rate + 0.1] * 2, records=records, seed=seed)[10:])
        for seed in range(10)
    ]

    assert sum(seen) >= 8


def test_a_change_is_found_where_it_began_with_the_error_before_and_after() -> None:
    changes = watch_windows([0.1] * 5 + [0.5], records=200, seed=0)
    change = changes[-1]

    assert change is not None
    assert change.sequence == 5
    assert abs(change.seen - 1000) < 20
    assert change.before == pytest.approx(0.1, abs=0.03)
    assert change.after == pytest.approx(0.5, abs=0.1)
    assert str(change).startswith("drift: ")


def test_getting_better_is_no_drift() -> None:
    assert not any(watch_windows([0.5] * 4 + [0.1] * 4, records=200, seed=0))


def test_a_drift_is_told_once_and_the_next_one_again() -> None:
    found = watch_windows([0.1] * 4 + [0.4] * 6 + [0.8] * 4, records=200, seed=1)

    assert [number for number, change in enumerate(found) if change] == [4, 10]


def test_a_watch_keeps_the_newest_answers_in_whole_rounds() -> None:
    watch = Watch()
    for sequence in range(30):
        watch, _ = watched(watch, np.zeros(500, bool), sequence=sequence, seen=0, config=CONFIG)

    kept = sum(each.answers for each in watch.rounds)
    assert MOST_ERRORS - 500 < kept <= MOST_ERRORS
    assert watch.rounds[-1].sequence == 29


@given(bits=st.lists(st.booleans(), min_size=1, max_size=300))
def test_answers_are_packed_without_loss(bits: list[bool]) -> None:
    packed = answered(np.array(bits), sequence=0, seen=0)

    assert packed.flags().tolist() == bits


@settings(max_examples=50)
@given(bits=st.lists(st.booleans(), min_size=2, max_size=40))
def test_the_best_split_is_the_best_of_all(bits: list[bool]) -> None:
    errors = np.array(bits)
    rises = [errors[cut:].mean() - errors[:cut].mean() for cut in range(1, len(bits))]
    weights = [cut * (len(bits) - cut) for cut in range(1, len(bits))]
    scores = [np.sign(d) * d * d * w for d, w in zip(rises, weights, strict=True)]

    cut, rise = best_split(errors)

    assert scores[cut - 1] == pytest.approx(max(scores))
    assert rise == pytest.approx(rises[cut - 1])


def test_a_drift_sets_a_long_interval_back_and_lets_fits_cost_more() -> None:
    change = Change(sequence=3, seen=600, before=0.1, after=0.4, answers=120)
    limits = FeedbackConfig()

    after = after_drift(Plan(refresh_interval=4.0), change, limits)
    short = after_drift(Plan(refresh_interval=0.5), change, limits)

    assert (after.refresh_interval, after.compute_share) == (1, limits.paying_compute_share)
    assert short.refresh_interval == 0.5
    assert {each.reason for each in after.changes} == {str(change)}


@pytest.fixture
def drifted(tmp_path: Path, tiny_encoder_folder: Path) -> tuple[Loop, LineageEntry]:
    """A task whose labels change their meaning after 480 records."""
    loop = Loop(
        tmp_path,
        tiny_encoder_folder,
        refresh=RefreshConfig(min_records_per_label=5, first_after_records=10_000),
        gate=GateConfig(insufficient_evidence="promote"),
        drift=DriftConfig(min_records=150, forget=True),
    )
    for start in range(0, 480, 120):
        loop.learn(stream(120, start=start))
    turned = {"up": "down", "down": "flat", "flat": "up"}
    entry = loop.learn([replace(r, label=turned[r.label]) for r in stream(120, start=480)])
    return loop, entry


def test_a_drift_is_written_down_and_read_back_after_a_restart(
    drifted: tuple[Loop, LineageEntry],
) -> None:
    loop, entry = drifted

    assert entry.evaluation.drift is not None
    assert entry.evaluation.drift.error_after > entry.evaluation.drift.error_before
    assert entry.drifted_at is not None
    assert abs(entry.drifted_at - 480) < 30
    assert entry.horizon_from in {3, 4}
    tip = loop.state(loop.new_learner()).tip
    assert tip is not None
    assert tip.watch == entry.watch


def test_a_drift_makes_a_refresh_due_once_enough_of_the_new_regime_came(
    drifted: tuple[Loop, LineageEntry],
) -> None:
    loop, entry = drifted
    assert entry.drifted_at is not None
    state = loop.state()

    def due(seen: int, refreshed_at: int) -> str | None:
        update = {"records_seen": seen, "refreshed_at": refreshed_at}
        tip = entry.model_copy(update={**update, "plan": Plan(refresh_interval=1.0)})
        return refresh_due(replace(state, tip=tip), loop.config, now=TIME)

    enough = entry.drifted_at + 150
    assert due(enough - 1, refreshed_at=400) is None
    assert due(enough, refreshed_at=400) == (
        "drift: 150 records since the champion began to err more"
    )
    assert due(enough + 10, refreshed_at=enough) is None
    early = due(enough, refreshed_at=entry.drifted_at + 10)
    assert early is not None, "a refresh before there was enough does not settle it"


def test_what_came_before_a_drift_is_not_asked_of_a_candidate_where_it_may_be_forgotten(
    drifted: tuple[Loop, LineageEntry],
) -> None:
    loop, entry = drifted

    later = loop.learn(stream(60, start=600))

    judged = later.evaluation.new.num_records + later.evaluation.old.num_records
    inside = [
        row for row in loop.state().holdout.part("judge") if row.sequence >= entry.horizon_from
    ]
    assert 0 < judged <= len(inside)
    assert len(inside) < len(loop.state().holdout.part("judge"))
    assert loop.learner.due(TASK, loop.config) is None
