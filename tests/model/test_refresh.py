"""A refresh: the encoder changes, nothing that was learned is lost, and it must be proven too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import FeedbackConfig, GateConfig, MonitorConfig, ReplayMemoryConfig
from model.data import Record
from model.replay_memory import ReplayMemory
from schemas.evaluation import Outcome
from tests.model.loop import ALWAYS, TASK, Loop, stream

NOTHING_REMEMBERED = ReplayMemory(records=1, text_bytes=1)
"""As it is read back from an entry of a version that had no replay memory."""


@pytest.fixture
def records() -> list[Record]:
    return stream(240)


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]) -> Loop:
    """A task that has learned 180 records in three windows."""
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    return loop


def test_a_first_refresh_is_due_after_enough_records(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    dues = []
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
        dues.append(loop.learner.due(TASK, loop.config))

    assert dues == [None, None, "no encoder of its own after 180 records"]


def test_the_next_refresh_is_due_so_many_records_after_the_last(
    loop: Loop, records: list[Record]
) -> None:
    changes = {"feedback": FeedbackConfig(enabled=False), "monitor": MonitorConfig(trial=False)}
    loop.config = loop.config.model_copy(update=changes)
    loop.refresh(records)
    assert loop.learner.due(TASK, loop.config) is None

    loop.learn(records[180:240])
    assert loop.learner.due(TASK, loop.config) is None
    loop.learn(stream(100, start=240))

    assert loop.learner.due(TASK, loop.config) == "160 records since the last refresh"


def test_a_promoted_refresh_serves_a_new_encoder_with_a_head_solved_for_it(
    loop: Loop, records: list[Record]
) -> None:
    before = loop.lineage.entry(2).version

    entry = loop.refresh(records)

    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert entry.version is not None
    assert before is not None
    assert entry.version.kind == "refresh"
    assert entry.version.parent == 2
    assert entry.version.encoder.sha256 != before.encoder.sha256
    assert entry.version.tokenizer.sha256 == before.tokenizer.sha256
    assert entry.evaluation.metrics["parity"] < 1e-4


def test_a_refresh_learns_no_new_record_and_keeps_its_place_in_the_log(
    loop: Loop, records: list[Record]
) -> None:
    before = loop.state()

    entry = loop.refresh(records)

    assert before.tip is not None
    assert (entry.spans, entry.windows) == ((), ())
    assert entry.trained_through == before.tip.trained_through
    assert [(span.start, span.end) for span in entry.refresh_reads] == [
        (0, 60),
        (60, 120),
        (120, 180),
    ]
    after = loop.state()
    np.testing.assert_array_equal(after.statistics.counts, before.statistics.counts)
    assert entry.covered == 1.0


def test_statistics_and_holdout_are_those_of_the_new_encoder(
    loop: Loop, records: list[Record]
) -> None:
    loop.refresh(records)

    state = loop.state()
    texts = {record.id: record.text for record in records}
    learned = [row for row in state.journal if row.part == "learn"]
    features = state.encoder.features([texts[row.id] for row in learned])
    stored = np.stack([row.features for row in learned if row.features is not None])
    np.testing.assert_allclose(stored, features, atol=1e-5)
    np.testing.assert_allclose(
        state.statistics.plain().gram, stored.T.astype(float) @ stored, atol=1e-4
    )
    held = state.holdout.rows[0]
    np.testing.assert_allclose(
        state.features[held.id], state.encoder.features([held.text])[0], atol=1e-5
    )


@pytest.fixture
def forgetful(tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]) -> Loop:
    """The same task with room for one replayed record, and rows of the newest 100 alone."""
    loop = Loop(
        tmp_path / "forgetful",
        tiny_encoder_folder,
        gate=ALWAYS,
        replay_memory=ReplayMemoryConfig(records=1),
        duplicate_horizon_records=100,
    )
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    return loop


def test_what_nobody_remembers_is_made_up_for_by_weight(
    forgetful: Loop, records: list[Record]
) -> None:
    before = forgetful.state().statistics

    entry = forgetful.refresh(records, deleted_below=90)

    assert entry.covered is not None
    assert 0.3 < entry.covered < 0.7
    np.testing.assert_allclose(forgetful.state().statistics.counts, before.counts)


def test_a_correction_after_a_partial_refresh_takes_the_record_back_whole(
    forgetful: Loop, records: list[Record]
) -> None:
    loop = forgetful
    loop.refresh(records, deleted_below=90)
    state = loop.state()
    heavy = next(r for r in state.journal if r.part == "learn" and r.features is not None)
    assert heavy.weight > 1.2
    other = next(label for label in state.labels if label != heavy.label)
    record = next(r for r in records if r.id == heavy.id)

    loop.learn([replace(record, offset=180, label=other)])

    change = loop.state().statistics.counts - state.statistics.counts
    index = state.label_index()
    assert change[index[heavy.label]] == pytest.approx(-heavy.weight), "no feature of it stays"
    assert change[index[other]] == pytest.approx(1.0)


def test_a_label_behind_the_budget_is_not_lost(loop: Loop, records: list[Record]) -> None:
    rare = [replace(r, label="rare") for r in stream(40, start=180)]
    loop.learn(rare)
    loop.learn(stream(60, start=220))
    small = loop.config.refresh.model_copy(update={"reread_records": 40})
    loop.config = loop.config.model_copy(update={"refresh": small})

    loop.refresh([*records[:180], *rare, *stream(60, start=220)])

    assert (loop.state().statistics.counts > 0).all()


def test_a_repeat_does_not_move_a_record_to_another_round(
    loop: Loop, records: list[Record]
) -> None:
    repeat = next(r for r in records if _part(loop, r.id) == "learn")
    again = replace(repeat, offset=180)
    loop.learn([again, *stream(30, start=181)])

    loop.refresh([*records[:180], again, *stream(30, start=181)])

    known = loop.state().journal.get(repeat.id)
    assert known is not None
    assert (known.sequence, known.offset) == (repeat.offset // 60, repeat.offset)


def test_a_refresh_without_log_and_memory_is_skipped_with_the_reason(loop: Loop) -> None:
    loop.learner._warm.hold(TASK, replace(loop.state(), replay=NOTHING_REMEMBERED))

    entry = loop.refresh([])

    assert entry.outcome is Outcome.SKIPPED
    assert "neither log nor memory" in entry.evaluation.reason
    assert entry.serving == 2
    assert loop.learner.due(TASK, loop.config) is None, "it is not tried again at once"


def test_a_rejected_refresh_leaves_with_its_encoder_and_statistics(
    loop: Loop, records: list[Record]
) -> None:
    before = loop.state()
    loop.config = loop.config.model_copy(
        update={"gate": GateConfig(insufficient_evidence="reject", margin_new=0.0, margin_old=0.0)}
    )

    entry = loop.refresh(records)

    assert entry.outcome is Outcome.REJECTED, entry.evaluation.reason
    after = loop.state()
    assert (entry.serving, entry.version) == (2, None)
    assert after.encoder.digest == before.encoder.digest
    assert after.statistics is before.statistics


def test_increments_go_on_under_the_refreshed_encoder_and_survive_a_restart(
    loop: Loop, records: list[Record]
) -> None:
    loop.refresh(records)
    entry = loop.learn(records[180:])

    left, read = loop.state(), loop.state(loop.new_learner())

    assert entry.version is not None
    assert entry.version.encoder == loop.lineage.entry(3).version.encoder  # type: ignore[union-attr]
    assert read.encoder.digest == left.encoder.digest
    np.testing.assert_array_equal(read.statistics.gram, left.statistics.gram)
    assert {r.id: r.weight for r in read.journal} == {r.id: r.weight for r in left.journal}


def test_the_same_refresh_gives_the_same_encoder(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    digests = []
    for name in ("one", "two"):
        loop = Loop(tmp_path / name, tiny_encoder_folder, gate=ALWAYS)
        loop.learn(records[:180])
        loop.refresh(records)
        digests.append(loop.state().encoder.digest)

    assert digests[0] == digests[1]


def _part(loop: Loop, record_id: str) -> str:
    row = loop.state().journal.get(record_id)
    return row.part if row else "unknown"
