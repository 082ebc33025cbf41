"""A task whose store was pruned learns on as if nothing had been, on stores of a real loop."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from model.config import GateConfig, MonitorConfig, RetentionConfig
from model.prune import Pruned, prune
from model.retention import own_paths
from model.rollback import RollbackRefusedError
from model.state import TaskState
from tests.model.loop import TASK, Loop, a_window, stream

OBLIGING = GateConfig(obey=False)
LEAST = RetentionConfig(versions=1, ensemble=1, serving_hours=0, attempt_hours=1)


def pruned(loop: Loop, **changes: int) -> Pruned:
    config = LEAST.model_copy(update=changes)
    now = datetime.now(UTC) + timedelta(days=1000)
    return prune(loop.store, lambda _: config, served={}, clock=lambda: now)


def assert_same(one: TaskState, other: TaskState) -> None:
    assert one.head is not None
    assert other.head is not None
    np.testing.assert_array_equal(one.head.weight, other.head.weight)
    np.testing.assert_array_equal(one.statistics.gram, other.statistics.gram)
    rows = [[(row.id, row.part, row.sequence) for row in state.journal] for state in (one, other)]
    assert rows[0] == rows[1]
    assert one.set_apart.keys() == other.set_apart.keys()
    assert [row.id for row in one.replay.rows] == [row.id for row in other.replay.rows]
    assert one.tip == other.tip


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    """With a refresh, a rollback over it, and a journal that has begun to forget."""
    loop = Loop(
        tmp_path,
        tiny_encoder_folder,
        gate=OBLIGING,
        monitor=MonitorConfig(enabled=False),
        duplicate_horizon_records=100,
    )
    records = stream(480)
    for start in range(0, 180, 60):
        loop.learn(records[start : start + 60])
    loop.refresh(records[:180])
    loop.learn(records[180:240])
    loop.learner.rollback(TASK, 2, loop.config, who="ops", why="a test")
    for start in range(240, 420, 60):
        loop.learn(records[start : start + 60])
    return loop


def test_after_the_hardest_prune_a_restarted_learner_knows_what_it_knew_and_learns_on(
    loop: Loop,
) -> None:
    before = loop.state()

    assert pruned(loop).deleted

    journals = [path for path in loop.store.list("tasks") if path.endswith("journal.parquet")]
    assert [path.split("/")[3][:8] for path in journals] == ["00000007", "00000008"]
    loop.learner = loop.new_learner()
    assert_same(loop.state(), before)
    assert loop.learn(stream(60, start=420)).serving == 9


def test_a_kept_version_can_be_restored_and_an_older_one_is_refused(loop: Loop) -> None:
    """Version 4 has another encoder, so that what came after it is told from journals and log."""
    pruned(loop, versions=5)
    loop.learner = loop.new_learner()

    with pytest.raises(RollbackRefusedError, match="missing"):
        loop.learner.rollback(TASK, 0, loop.config, who="ops", why="too far back")
    entry = loop.learner.rollback(TASK, 4, loop.config, who="ops", why="a test")

    assert (entry.kind, entry.serving) == ("rollback", 9)
    assert loop.learn(stream(60, start=420)).serving == 10


def test_a_warm_learner_writes_an_encoder_again_that_was_pruned(loop: Loop) -> None:
    loop.refresh(stream(420))
    pruned(loop)
    assert len(loop.store.folders("encoders")) == 1

    entry = loop.learner.increment("moods", [a_window(stream(60))], loop.config)

    assert all(loop.store.holds(path) for path in own_paths(entry))


def lose_head(loop: Loop, number: int) -> None:
    files = loop.lineage.entry(number).files
    assert files is not None
    assert files.head is not None
    loop.store.remove(files.head.path)


@pytest.mark.parametrize("missing", ["predecessor", "successor"])
def test_a_trial_that_lost_a_head_is_over(
    missing: str, tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=MonitorConfig())
    loop.learn(stream(120))
    trial = loop.refresh(stream(120)).trial
    assert trial is not None
    held = loop.state().head
    loop.learn(stream(60, start=120))  # whose state names a head of its own
    assert loop.state().head is not held
    lose_head(loop, trial.version if missing == "predecessor" else trial.refreshed)

    assert loop.state(loop.new_learner()).trial is None


@pytest.mark.parametrize("missing", ["anchor", "predecessor"])
def test_a_predecessor_whose_files_are_gone_is_confirmed_and_an_anchor_has_no_head(
    missing: str, tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=MonitorConfig())
    loop.learn(stream(60))
    loop.learn(stream(60, start=60))
    tip = loop.lineage.tip()
    assert tip is not None
    assert tip.anchor is not None
    assert tip.probation is not None
    number = tip.anchor.version if missing == "anchor" else tip.probation.version
    assert number == 0
    lose_head(loop, number)

    state = loop.state(loop.new_learner())

    assert state.anchor is not None
    assert (state.anchor.head if missing == "anchor" else state.probation) is None
