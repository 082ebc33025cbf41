"""An increment: statistics add up, decisions are written down, nothing is learned twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.data import Record
from model.errors import TipMovedError
from model.exporter import Exporter
from model.learner import wall_clock
from model.state import TaskState
from model.update import increment
from schemas.evaluation import Outcome
from tests.model.loop import TASK, Loop, a_record, a_window, direct_statistics, part_of, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder)


def test_windows_one_by_one_give_the_statistics_of_all_at_once(loop: Loop) -> None:
    records = stream(180)
    for start in range(0, 180, 60):
        loop.learn(records[start : start + 60])

    learned, direct = loop.state().statistics, direct_statistics(loop)

    np.testing.assert_array_equal(learned.counts, direct.counts)
    np.testing.assert_allclose(learned.sums, direct.sums, atol=1e-9)
    np.testing.assert_allclose(learned.gram, direct.gram, atol=1e-9)


def test_a_first_version_that_beats_the_most_frequent_label_is_promoted(loop: Loop) -> None:
    entry = loop.learn(stream(60))

    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert entry.version is not None
    assert entry.version.labels == ("down", "flat", "up")
    assert (entry.serving, entry.version.parent, entry.sequence) == (0, None, 0)
    for artifact in (entry.version.encoder, entry.version.head, entry.version.tokenizer):
        assert len(loop.store.fetch(artifact)) == artifact.size_bytes
    assert entry.evaluation.metrics["parity"] < 1e-4


def test_the_champion_answers_a_window_before_it_is_learned(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    champion, state = loop.state().head, loop.state()
    assert champion is not None
    answered = champion.predict(state.encoder.features([r.text for r in records[60:]]))
    right = np.mean(
        [state.labels[a] == r.label for a, r in zip(answered, records[60:], strict=True)]
    )

    entry = loop.learn(records[60:])

    assert entry.evaluation.prequential_accuracy == pytest.approx(right)


def test_held_out_records_never_enter_the_statistics(loop: Loop) -> None:
    entry = loop.learn(stream(60))

    counts = entry.evaluation.counts
    assert counts.held_out > 5
    assert loop.state().statistics.num_records == counts.learned == 60 - counts.held_out
    held = {row.id for row in loop.state().holdout.rows}
    assert len(held) == counts.held_out


def test_a_redelivered_window_teaches_nothing_twice(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    before = loop.state().statistics

    entry = loop.learn(records)

    assert entry.outcome is Outcome.SKIPPED
    assert entry.evaluation.counts.trimmed == 60
    np.testing.assert_array_equal(loop.state().statistics.gram, before.gram)


def test_a_window_that_overlaps_an_earlier_one_is_learned_in_its_new_part_only(loop: Loop) -> None:
    records = stream(90)
    loop.learn(records[:60])

    counts = loop.learn(records[30:]).evaluation.counts

    assert (counts.trimmed, counts.learned + counts.held_out) == (30, 30)


def test_a_corrected_label_is_unlearned_and_learned_anew(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    wrong = next(r for r in records if part_of(loop, r.id) == "learn" and r.label == "up")

    entry = loop.learn([replace(wrong, offset=60, label="down")])

    assert entry.evaluation.counts.corrected == 1
    learned, direct = loop.state().statistics, direct_statistics(loop)
    np.testing.assert_array_equal(learned.counts, direct.counts)
    np.testing.assert_allclose(learned.gram, direct.gram, atol=1e-9)


def test_a_new_label_is_live_with_its_first_records(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    novel = [
        replace(r, label="sideways", text=f"boat bread bridge {r.offset}") for r in records[60:]
    ]

    entry = loop.learn(novel)

    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert entry.version is not None
    assert entry.version.labels == ("down", "flat", "up", "sideways")
    assert entry.evaluation.metrics["new_label_accuracy"] > 0.5


@pytest.mark.parametrize("size", [1, 2])
def test_a_window_of_one_or_two_records_is_a_valid_outcome(loop: Loop, size: int) -> None:
    entry = loop.learn(stream(size))

    counts = entry.evaluation.counts
    assert counts.learned + counts.held_out == size
    assert entry.outcome in {Outcome.PROMOTED, Outcome.REJECTED, Outcome.SKIPPED}


def test_a_window_of_one_class_is_a_valid_outcome(loop: Loop) -> None:
    records = [a_record(n, text=f"sales rose {n}", label="up") for n in range(40)]

    entry = loop.learn(records)

    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason


def test_an_empty_window_is_skipped_with_the_reason(loop: Loop) -> None:
    window = replace(a_window(stream(1)), records=())

    entry = loop.learner.increment(TASK, [window], loop.config)

    assert entry.outcome is Outcome.SKIPPED
    assert "nothing to learn" in entry.evaluation.reason


def test_two_workers_cannot_fork_a_lineage(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    other = loop.new_learner()
    stale = loop.state()

    other.increment(TASK, [a_window(records[60:])], loop.config)

    with pytest.raises(TipMovedError):
        _commit_on(loop, stale, records)
    assert loop.lineage.sequences() == [0, 1]
    assert loop.state().sequence == 2, "the loser reads the new tip"


def test_a_state_read_back_from_the_store_is_the_state_that_was_left(loop: Loop) -> None:
    records = stream(240)
    for start in range(0, 240, 60):
        loop.learn(records[start : start + 60])

    left, read = loop.state(), loop.state(loop.new_learner())

    assert read.tip == left.tip
    assert read.labels == left.labels
    np.testing.assert_array_equal(read.statistics.gram, left.statistics.gram)
    assert [r.id for r in read.journal] == [r.id for r in left.journal]
    assert read.holdout.rows == left.holdout.rows
    assert left.head is not None
    assert read.head is not None
    np.testing.assert_array_equal(read.head.weight, left.head.weight)
    for record_id, features in left.features.items():
        np.testing.assert_array_equal(read.features[record_id], features)


def test_the_same_stream_gives_the_same_heads(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    records = stream(120)
    heads = []
    for name in ("one", "two"):
        loop = Loop(tmp_path / name, tiny_encoder_folder)
        loop.learn(records[:60])
        heads.append(loop.learn(records[60:]).version)

    assert heads[0] is not None
    assert heads[1] is not None
    assert heads[0].head.sha256 == heads[1].head.sha256
    assert heads[0].encoder.sha256 == heads[1].encoder.sha256


def _commit_on(loop: Loop, stale: TaskState, records: list[Record]) -> None:
    increment(
        stale,
        [a_window(records[60:])],
        config=loop.config,
        lineage=loop.lineage,
        exporter=Exporter(loop.store, loop.templates, threads=1),
        progress=lambda _stage, /, **_fields: None,
        clock=wall_clock,
    )
