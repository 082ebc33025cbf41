"""Learning with the replay memory: what gets in, what gets out, and refreshes without the log."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import GateConfig, HoldoutConfig, ReplayMemoryConfig
from model.data import Record
from model.deltas import applied
from model.splits import split_of
from model.state import load_state
from model.statistics import Statistics
from schemas.base import Span
from schemas.evaluation import Outcome
from tests.model.loop import ALWAYS, NEVER, TASK, Loop, MemoryLog, a_record, part_of, stream


class ForbiddenBelow(MemoryLog):
    """A log that fails the test when older records are asked for."""

    def __init__(self, records: list[Record], *, start: int) -> None:
        super().__init__(records)
        self._start = start

    def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
        assert span.start >= self._start, f"{span} was read"
        return super().read(task, span, strict=strict)


@pytest.fixture
def records() -> list[Record]:
    return stream(240)


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]) -> Loop:
    """A task that has learned 180 records in three windows, every candidate promoted."""
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    return loop


def with_gate(loop: Loop, gate: GateConfig) -> None:
    loop.config = loop.config.model_copy(update={"gate": gate})


def without_log(loop: Loop) -> None:
    refresh = loop.config.refresh.model_copy(update={"read_log": False})
    loop.config = loop.config.model_copy(update={"refresh": refresh})


def remembered_ids(loop: Loop) -> set[str]:
    return {row.id for row in loop.state().replay.rows}


def a_learned_one(loop: Loop, records: list[Record], label: str = "up") -> Record:
    return next(r for r in records if r.label == label and part_of(loop, r.id) == "learn")


def test_every_learned_record_is_remembered_with_its_text_and_no_held_out_one(
    loop: Loop, records: list[Record]
) -> None:
    learned = {r.id: r for r in records[:180] if part_of(loop, r.id) == "learn"}

    assert {row.id: row.record for row in loop.state().replay.rows} == learned


def test_the_memory_survives_a_restart(loop: Loop) -> None:
    assert loop.state(loop.new_learner()).replay.rows == loop.state().replay.rows


def test_the_memory_stays_within_its_budget_and_balances_labels(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    small = Loop(
        tmp_path, tiny_encoder_folder, gate=ALWAYS, replay_memory=ReplayMemoryConfig(records=12)
    )
    for start in (0, 60, 120):
        small.learn(records[start : start + 60])

    labels = [row.label for row in small.state().replay.rows]
    assert {label: labels.count(label) for label in labels} == {"down": 4, "flat": 4, "up": 4}


def test_an_entry_without_a_memory_is_read_as_an_empty_one(loop: Loop) -> None:
    tip = loop.lineage.tip()
    assert tip is not None
    assert tip.files is not None
    assert tip.files.replay is not None
    raw = tip.model_dump(mode="json")
    del raw["files"]["replay"]

    old = type(tip).model_validate(raw)

    assert load_state(loop.lineage, old, loop.state().encoder, loop.config).replay.rows == ()


def test_a_corrected_record_is_remembered_under_its_new_label_alone(
    loop: Loop, records: list[Record]
) -> None:
    wrong = a_learned_one(loop, records)

    loop.learn([replace(wrong, offset=180, label="flat")])

    assert [r.label for r in loop.state().replay.rows if r.id == wrong.id] == ["flat"]


def test_a_record_whose_correction_is_held_out_is_forgotten(
    loop: Loop, records: list[Record]
) -> None:
    wrong = a_learned_one(loop, records)
    split = loop.config.holdout
    text = next(f"sales fell {n}" for n in range(99) if _held_out(f"sales fell {n}", split))

    loop.learn([replace(wrong, offset=180, text=text, label="down")])

    assert wrong.id not in remembered_ids(loop)


def _held_out(text: str, split: HoldoutConfig) -> bool:
    return split_of(text, salt=split.salt, share=split.share) != "learn"


def test_a_rejected_round_waits_apart_until_it_is_given_up(
    loop: Loop, records: list[Record]
) -> None:
    before = remembered_ids(loop)
    wrong = a_learned_one(loop, records)
    with_gate(loop, NEVER)
    rejected = loop.learn([replace(wrong, offset=180, label="down")])
    waiting = [row for row in loop.state().replay.rows if row.sequence == rejected.sequence]
    kept = [row for row in loop.state().replay.rows if row.id == wrong.id]

    number = 181
    while rejected.sequence not in loop.lineage.tip().given_up:  # type: ignore[union-attr]
        loop.learn([a_record(number, text=f"sales stayed {number} weak", label="flat")])
        number += 1

    assert [row.label for row in waiting] == ["down"]
    assert [row.label for row in kept] == ["up", "down"]
    left = [row for row in loop.state().replay.rows if row.id == wrong.id]
    assert [row.label for row in left] == ["up"], "what the statistics hold"
    assert before <= remembered_ids(loop)


def test_a_rejected_round_that_is_adopted_is_remembered_as_learned(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder)
    records = stream(240)
    split = loop.config.holdout
    learnable = [r for r in records[:60] if not _held_out(r.text, split)]
    first = loop.learn(learnable)
    second = loop.learn(records[60:])
    assert (first.outcome, second.outcome) == (Outcome.REJECTED, Outcome.PROMOTED)
    assert second.set_apart == ()

    learned = {r.id for r in records[60:] if part_of(loop, r.id) == "learn"}

    assert remembered_ids(loop) == learned | {r.id for r in learnable}


def test_what_retention_deleted_is_fitted_from_memory(loop: Loop, records: list[Record]) -> None:
    entry = loop.refresh(records, deleted_below=90)

    assert entry.covered == 1.0
    assert 20 < entry.evaluation.metrics["remembered_records"] < 90


def test_a_refresh_works_when_the_whole_log_is_gone(loop: Loop) -> None:
    before = loop.state().statistics

    entry = loop.refresh([])

    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert entry.covered == 1.0
    np.testing.assert_array_equal(loop.state().statistics.counts, before.counts)


def test_without_the_log_no_span_before_the_last_refresh_is_read(
    loop: Loop, records: list[Record]
) -> None:
    loop.refresh(records)
    loop.learn(records[180:])
    without_log(loop)

    entry = loop.learner.refresh(
        TASK, "the test says so", ForbiddenBelow(records, start=180), loop.config
    )

    assert [(span.start, span.end) for span in entry.refresh_reads] == [(180, 240)]
    assert entry.evaluation.metrics["remembered_records"] > 60


def test_without_the_log_and_with_a_small_memory_the_rest_is_mapped(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    loop = a_loop_that_maps(tmp_path, tiny_encoder_folder, records)
    state, tip = loop.state(), loop.lineage.tip()

    mapped = [row for row in state.journal if row.mapped]

    assert tip is not None
    assert tip.evaluation.metrics["mapped_records"] == len(mapped) > 30
    assert tip.covered is not None
    assert tip.covered == pytest.approx(1 - len(mapped) / state.statistics.num_records)
    for row in mapped:
        assert row.features is not None
        assert np.linalg.norm(row.features) == pytest.approx(1.0, abs=1e-5)
    held = {row.id for row in state.replay.rows}
    assert not held & {row.id for row in mapped}


def a_loop_that_maps(folder: Path, encoder_folder: Path, records: list[Record]) -> Loop:
    """A task whose second refresh had 60 records of its own window and 45 remembered ones."""
    loop = Loop(folder, encoder_folder, gate=ALWAYS, replay_memory=ReplayMemoryConfig(records=45))
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    without_log(loop)
    loop.refresh(records)
    loop.learn(records[180:])
    loop.learner.refresh(TASK, "again", ForbiddenBelow(records, start=180), loop.config)
    return loop


def test_mapped_rows_make_up_the_statistics_and_subtract_exactly(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    loop = a_loop_that_maps(tmp_path, tiny_encoder_folder, records)
    state = loop.state(loop.new_learner())
    index = state.label_index()
    learned = [row for row in state.journal if row.part == "learn"]
    empty = Statistics.empty(state.encoder.dim, len(index), projected=state.statistics.projected)
    np.testing.assert_allclose(state.statistics.gram, applied(empty, learned, index).gram)

    wrong = next(row for row in learned if row.mapped)
    record = next(r for r in records if r.id == wrong.id)
    other = next(label for label in state.labels if label != wrong.label)
    loop.learn([replace(record, offset=240, label=other)])

    after = loop.state()
    rest = [row for row in after.journal if row.part == "learn"]
    direct = applied(
        Statistics.empty(state.encoder.dim, len(index), projected=state.statistics.projected),
        rest,
        index,
    )
    np.testing.assert_allclose(after.statistics.counts, direct.counts)
    np.testing.assert_allclose(after.statistics.sums, direct.sums, atol=1e-9)
    np.testing.assert_allclose(after.statistics.gram, direct.gram, atol=1e-9)


def test_a_mapped_row_becomes_exact_when_its_text_is_read_again(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    loop = a_loop_that_maps(tmp_path, tiny_encoder_folder, records)
    log = loop.config.refresh.model_copy(update={"read_log": True})
    loop.config = loop.config.model_copy(update={"refresh": log})

    entry = loop.refresh(records)

    assert entry.covered == 1.0
    assert not any(row.mapped for row in loop.state().journal)
