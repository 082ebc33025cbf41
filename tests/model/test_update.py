"""An increment: statistics add up, decisions are written down, nothing is learned twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import GateConfig
from model.data import Record
from model.errors import TipMovedError
from model.exporter import Exporter
from model.learner import wall_clock
from model.splits import split_of
from model.state import TaskState
from model.statistics import Statistics
from model.update import increment
from schemas.evaluation import Outcome
from tests.model.loop import TASK, Loop, a_record, a_window, stream

NEVER = GateConfig(
    margin_new=0.0, margin_old=0.0, confidence=0.999999, insufficient_evidence="reject"
)
"""A gate that a handful of records cannot pass."""


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder)


def direct_statistics(loop: Loop) -> Statistics:
    """The statistics of every learned row, summed up at once."""
    state = loop.state()
    index = state.label_index()
    rows = [row for row in state.journal if row.part == "learn" and row.features is not None]
    features = np.stack([row.features for row in rows if row.features is not None])
    labels = [index[row.label] for row in rows]
    return Statistics.of(features, labels, num_labels=len(index))


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
    wrong = next(r for r in records if _part(loop, r.id) == "learn" and r.label == "up")

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


def test_a_mislabelled_window_is_set_apart_and_does_not_poison_what_follows(loop: Loop) -> None:
    records = stream(360)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    clean = loop.state().statistics
    flipped = {"down": "up", "up": "flat", "flat": "down"}

    bad = loop.learn([replace(r, label=flipped[r.label]) for r in records[180:300]])
    after_bad = loop.state()
    good = loop.learn(records[300:360])

    assert bad.outcome is Outcome.REJECTED, bad.evaluation.reason
    assert bad.set_apart == (bad.sequence,)
    assert bad.serving == bad.sequence - 1
    np.testing.assert_array_equal(after_bad.statistics.gram, clean.gram)
    assert good.sequence in {good.serving, good.sequence}
    assert good.set_apart[:1] == (bad.sequence,), "the good window was solved without the bad one"


def test_a_rejected_window_is_learned_with_the_next_where_that_is_no_worse(loop: Loop) -> None:
    split = loop.config.holdout
    records = stream(240)
    learnable = [
        record
        for record in records[:60]
        if split_of(record.text, salt=split.salt, share=split.share) == "learn"
    ]

    first = loop.learn(learnable)
    second = loop.learn(records[60:])

    assert first.outcome is Outcome.REJECTED, "there is nothing to judge it by"
    assert (first.set_apart, second.set_apart) == ((0,), ())
    assert second.outcome is Outcome.PROMOTED, second.evaluation.reason
    learned = len(learnable) + second.evaluation.counts.learned
    assert loop.state().statistics.num_records == learned


def test_a_correction_of_a_rejected_correction_leaves_no_trace_of_either(loop: Loop) -> None:
    records = stream(180)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    wrong = next(r for r in records if _part(loop, r.id) == "learn" and r.label == "up")
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    rejected = loop.learn([replace(wrong, offset=180, label="down")])
    assert rejected.outcome is Outcome.REJECTED
    loop.config = loop.config.model_copy(update={"gate": GateConfig()})

    loop.learn([replace(wrong, offset=181, label="flat")])

    learned, direct = loop.state().statistics, direct_statistics(loop)
    np.testing.assert_array_equal(learned.counts, direct.counts)
    np.testing.assert_allclose(learned.gram, direct.gram, atol=1e-9)
    read = loop.state(loop.new_learner())
    assert read.set_apart == loop.state().set_apart


def test_a_correction_that_is_given_up_leaves_the_record_as_it_was(loop: Loop) -> None:
    records = stream(180)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])
    before = loop.state().statistics
    wrong = next(r for r in records if _part(loop, r.id) == "learn" and r.label == "up")
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    loop.learn([replace(wrong, offset=180, label="down")])
    texts = [a_record(181 + n, text=f"sales stayed {n} weak", label="flat") for n in range(9)]
    for text in texts:
        loop.learn([text])

    tip, state = loop.lineage.tip(), loop.state()

    assert tip is not None
    assert 3 in tip.given_up
    known = state.journal.get(wrong.id)
    assert known is not None
    assert known.label == "up"
    np.testing.assert_array_equal(state.statistics.gram, before.gram)
    read = loop.state(loop.new_learner()).journal.get(wrong.id)
    assert read is not None
    assert read.label == "up"


def test_rounds_are_not_given_up_before_the_first_version(loop: Loop) -> None:
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    split = loop.config.holdout
    learnable = [
        record
        for record in stream(60)
        if split_of(record.text, salt=split.salt, share=split.share) == "learn"
    ]
    for record in learnable[:6]:
        loop.learn([record])

    tip = loop.lineage.tip()

    assert tip is not None
    assert (tip.set_apart, tip.given_up) == (tuple(range(6)), ())


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


def _part(loop: Loop, record_id: str) -> str:
    row = loop.state().journal.get(record_id)
    return row.part if row else "unknown"


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
