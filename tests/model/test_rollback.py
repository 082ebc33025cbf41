"""An older version serves again: as a pair, under a new number, with what came after set apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import GateConfig, MonitorConfig, ReplayMemoryConfig
from model.errors import TipMovedError
from model.exporter import Exporter
from model.learner import wall_clock
from model.lineage_entry import LineageEntry
from model.rollback import RollbackRefusedError
from model.update import increment
from schemas.evaluation import Outcome
from tests.model.loop import NEVER, TASK, Loop, MemoryLog, a_window, direct_statistics, stream
from tests.model.tiny import labeled_texts

OBLIGING = GateConfig(obey=False)
"""A gate that promotes whatever comes."""
FLIPPED = {"down": "up", "up": "flat", "flat": "down"}


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=MonitorConfig(enabled=False))


def rolled_back(
    loop: Loop, version: int | None = None, log: MemoryLog | None = None
) -> LineageEntry:
    return loop.learner.rollback(
        TASK, version, loop.config, who="an operator", why="it lost its way", log=log
    )


def test_it_announces_the_older_graphs_under_a_new_number(loop: Loop) -> None:
    records = stream(180)
    good = loop.learn(records[:60])
    bad = loop.learn(records[60:120])

    entry = rolled_back(loop)

    assert (entry.kind, entry.outcome, entry.sequence) == ("rollback", Outcome.ROLLED_BACK, 2)
    assert entry.serving == 2
    assert entry.version is not None
    assert good.version is not None
    assert entry.version.version == 2
    assert entry.version.parent == bad.sequence
    assert entry.version.head == good.version.head
    assert entry.version.encoder == good.version.encoder
    assert entry.trained_through == bad.trained_through
    assert entry.evaluation.reason == (
        "an operator rolled version 1 back to version 0: it lost its way; increments set apart: 1"
    )
    assert entry.rollback is not None
    assert (entry.rollback.who, entry.rollback.why) == ("an operator", "it lost its way")


def test_head_and_statistics_are_the_older_ones_to_the_last_bit(loop: Loop) -> None:
    loop.learn(stream(60))
    before = loop.state()
    loop.learn(stream(60, start=60))

    rolled_back(loop)

    after = loop.state()
    assert before.head is not None
    assert after.head is not None
    np.testing.assert_array_equal(after.head.weight, before.head.weight)
    np.testing.assert_array_equal(after.statistics.gram, before.statistics.gram)
    assert list(after.set_apart) == [1]


def test_the_next_update_solves_with_and_without_what_was_blamed(loop: Loop) -> None:
    records = stream(240)
    loop.learn(records[:120])
    loop.learn([replace(r, label=FLIPPED[r.label]) for r in records[120:180]])
    rolled_back(loop)
    clean = loop.state().statistics

    after = loop.learn(records[180:])

    assert after.outcome is Outcome.PROMOTED
    learned = after.evaluation.counts.learned
    assert loop.state().statistics.num_records == clean.num_records + learned
    assert after.set_apart == (1,), "the mislabelled window is still apart"


def test_good_records_that_were_blamed_are_learned_again(loop: Loop) -> None:
    records = stream(240)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    rolled_back(loop, 0)

    after = loop.learn(records[180:])

    assert after.set_apart == ()
    learned, direct = loop.state().statistics, direct_statistics(loop)
    np.testing.assert_array_equal(learned.counts, direct.counts)
    np.testing.assert_allclose(learned.gram, direct.gram, atol=1e-9)


def test_a_restart_gives_the_same_state(loop: Loop) -> None:
    records = stream(240)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    rolled_back(loop, 0)

    held, read = loop.state(), loop.state(loop.new_learner())

    assert read.tip == held.tip
    assert read.labels == held.labels
    assert [row.id for row in read.journal] == [row.id for row in held.journal]
    assert {s: [row.id for row in rows] for s, rows in read.set_apart.items()} == {
        s: [row.id for row in rows] for s, rows in held.set_apart.items()
    }
    np.testing.assert_array_equal(read.statistics.gram, held.statistics.gram)
    assert read.holdout.rows == held.holdout.rows
    assert read.anchor is not None
    assert held.anchor is not None
    assert (read.anchor.version, read.anchor.age) == (held.anchor.version, held.anchor.age)


def test_a_correction_that_came_after_is_undone_and_can_be_made_again(loop: Loop) -> None:
    records = stream(180)
    loop.learn(records[:60])
    before = loop.state()
    wrong = next(r for r in records[:60] if _learned(loop, r.id) and r.label == "up")
    once = replace(wrong, offset=60, label="down")
    twice = replace(wrong, offset=61, label="flat")
    loop.learn([once])
    loop.learn([twice])

    rolled_back(loop, 0)
    np.testing.assert_array_equal(loop.state().statistics.gram, before.statistics.gram)
    loop.learn([replace(r, offset=r.offset + 2) for r in records[60:120]])

    learned, direct = loop.state().statistics, direct_statistics(loop)
    np.testing.assert_array_equal(learned.counts, direct.counts)
    np.testing.assert_allclose(learned.gram, direct.gram, atol=1e-9)
    row = loop.state().journal.get(wrong.id)
    assert row is not None
    assert row.label == "flat"


def test_labels_that_came_after_stay_known_and_are_not_answered(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    texts, _ = labeled_texts(120)
    loop.learn([replace(r, label="sideways") for r in records[60:]])

    entry = rolled_back(loop)

    assert entry.labels[-1] == "sideways"
    assert entry.version is not None
    assert "sideways" not in entry.version.labels
    state = loop.state()
    assert state.head is not None
    answers = state.head.predict(state.encoder.features(texts[60:]))
    assert max(answers) < len(entry.version.labels)
    assert loop.state().statistics.counts[-1] == 0


@pytest.mark.parametrize("texts_in", ["log", "memory", "neither", "forbidden log"])
def test_a_refresh_is_rolled_back_with_its_encoder(loop: Loop, texts_in: str) -> None:
    records = stream(240)
    if texts_in != "memory":
        smallest = ReplayMemoryConfig(records=1)
        loop.config = loop.config.model_copy(update={"replay_memory": smallest})
    loop.learn(records[:60])
    older = loop.learn(records[60:120])
    before = loop.state()
    refreshed = loop.refresh(records[:120])
    loop.learn(records[120:180])
    assert refreshed.outcome is Outcome.PROMOTED
    if texts_in == "forbidden log":
        forbidding = loop.config.refresh.model_copy(update={"read_log": False})
        loop.config = loop.config.model_copy(update={"refresh": forbidding})

    log = MemoryLog(records) if "log" in texts_in else None
    entry = rolled_back(loop, older.sequence, log)

    state = loop.state()
    assert entry.encoder is not None
    assert entry.encoder.digest == before.encoder.digest == state.encoder.digest
    assert entry.encoder != refreshed.encoder
    np.testing.assert_array_equal(state.statistics.gram, before.statistics.gram)
    lost = "their records have no features any more and are given up"
    found = texts_in in {"log", "memory"}
    assert (lost in entry.evaluation.reason) is not found
    assert entry.rollback is not None
    assert entry.rollback.blamed == (3,)
    if found:
        assert (entry.set_apart, entry.given_up) == ((3,), ())
    read = loop.state(loop.new_learner())
    for row in state.holdout.rows:
        np.testing.assert_allclose(state.features[row.id], read.features[row.id], atol=1e-6)
    after = loop.learn(records[180:])
    assert after.outcome is Outcome.PROMOTED


def test_a_second_rollback_goes_one_version_further_back(loop: Loop) -> None:
    records = stream(180)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])

    first = rolled_back(loop)
    second = rolled_back(loop)

    assert first.rollback is not None
    assert second.rollback is not None
    assert (first.rollback.restores, second.rollback.restores) == (1, 0)
    assert second.rollback.blamed == (1, 2)


def test_what_cannot_be_restored_is_refused_in_words(loop: Loop) -> None:
    records = stream(180)
    with pytest.raises(RollbackRefusedError, match="no lineage"):
        rolled_back(loop)
    loop.learn(records[:60])
    with pytest.raises(RollbackRefusedError, match="is the first"):
        rolled_back(loop)
    loop.learn(records[60:120])
    again = loop.learn(records[60:120])
    assert again.outcome is Outcome.SKIPPED
    with pytest.raises(RollbackRefusedError, match="no version 9"):
        rolled_back(loop, 9)
    with pytest.raises(RollbackRefusedError, match="never promoted"):
        rolled_back(loop, again.sequence)
    with pytest.raises(RollbackRefusedError, match="serves already"):
        rolled_back(loop, 1)
    rolled_back(loop, 0)
    with pytest.raises(RollbackRefusedError, match="serves already, as version 3"):
        rolled_back(loop, 0)


def test_a_version_whose_files_are_gone_is_refused(loop: Loop) -> None:
    first = loop.learn(stream(60))
    loop.learn(stream(60, start=60))
    assert first.version is not None
    loop.store.delete(first.version.head.path)

    with pytest.raises(RollbackRefusedError, match="cannot serve again"):
        rolled_back(loop)


def test_what_is_known_of_drift_and_refreshes_outlives_a_rollback(loop: Loop) -> None:
    records = stream(240)
    loop.learn(records[:120])
    loop.refresh(records[:120])
    before = loop.learn(records[120:])
    assert before.watch is not None
    assert before.watch.rounds
    assert before.plan is not None

    entry = rolled_back(loop)

    kept = ("watch", "drifted_at", "horizon_from", "plan", "refreshed_at", "records_seen")
    assert {name: getattr(entry, name) for name in kept} == {
        name: getattr(before, name) for name in kept
    }


def test_an_update_in_flight_loses_the_race(loop: Loop) -> None:
    records = stream(180)
    loop.learn(records[:60])
    loop.learn(records[60:120])
    in_flight = loop.state()
    rolled_back(loop)

    with pytest.raises(TipMovedError):
        increment(
            in_flight,
            [a_window(records[120:])],
            config=loop.config,
            lineage=loop.lineage,
            exporter=Exporter(loop.store, loop.templates, threads=1),
            progress=lambda _stage, /, **_fields: None,
            clock=wall_clock,
        )


def _learned(loop: Loop, record_id: str) -> bool:
    row = loop.state().journal.get(record_id)
    return row is not None and row.part == "learn"


def test_records_that_were_given_up_before_are_not_at_stake(loop: Loop) -> None:
    records = stream(360)
    loop.learn(records[:60])
    loop.refresh(records[:60])
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    for start in (60, 120, 180, 240):
        entry = loop.learn(records[start : start + 60])
    assert entry.given_up == (2,)

    back = loop.learner.rollback(TASK, 0, loop.config, who="me", why="a test", give_up=False)

    assert back.rollback is not None
    assert back.rollback.blamed == (3, 4, 5)
    assert "are given up" not in back.evaluation.reason
