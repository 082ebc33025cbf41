"""A refresh: the encoder changes, nothing that was learned is lost, and it must be proven too."""

from pathlib import Path

import numpy as np
import pytest

from model.config import GateConfig
from model.data import Record
from schemas.evaluation import Outcome
from tests.model.loop import TASK, Loop, stream

ALWAYS = GateConfig(
    margin_new=1.0, margin_old=1.0, max_negative_flip_rate=1.0, insufficient_evidence="promote"
)
"""A gate that lets every candidate pass, for tests of what comes behind it."""


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
    np.testing.assert_allclose(state.statistics.gram, stored.T.astype(float) @ stored, atol=1e-4)
    held = state.holdout.rows[0]
    np.testing.assert_allclose(
        state.features[held.id], state.encoder.features([held.text])[0], atol=1e-5
    )


def test_what_retention_deleted_is_made_up_for_by_weight(loop: Loop, records: list[Record]) -> None:
    before = loop.state().statistics

    entry = loop.refresh(records, deleted_below=90)

    assert entry.covered is not None
    assert 0.3 < entry.covered < 0.7
    np.testing.assert_allclose(loop.state().statistics.counts, before.counts)


def test_a_log_without_records_is_skipped_with_the_reason(loop: Loop) -> None:
    entry = loop.refresh([])

    assert entry.outcome is Outcome.SKIPPED
    assert "the log holds none" in entry.evaluation.reason
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
