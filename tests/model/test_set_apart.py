"""Rejected rounds: set apart, tried again, corrected, given up, and never learned twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import GateConfig, HeadConfig, MonitorConfig
from model.reread import not_learned
from model.splits import split_of
from schemas.evaluation import Outcome
from tests.model.loop import NEVER, TASK, Loop, a_record, direct_statistics, part_of, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder)


@pytest.fixture
def loose(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    """Everything is promoted, and nothing rolled back but by hand."""
    return Loop(
        tmp_path,
        tiny_encoder_folder,
        gate=GateConfig(obey=False),
        monitor=MonitorConfig(enabled=False),
    )


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
    wrong = next(r for r in records if part_of(loop, r.id) == "learn" and r.label == "up")
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
    wrong = next(r for r in records if part_of(loop, r.id) == "learn" and r.label == "up")
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


def test_a_round_that_is_adopted_and_rolled_back_again_and_again_is_given_up(
    loose: Loop,
) -> None:
    records = stream(420)
    loose.learn(records[:120])
    blamed = loose.learn(records[120:180]).sequence
    tries = []
    for start in (180, 240, 300, 360):
        back = loose.learner.rollback(TASK, 0, loose.config, who="me", why="it lost its way")
        tries.append(dict(zip(back.set_apart, back.set_apart_tries, strict=True))[blamed])
        loose.learner = loose.new_learner()
        after = loose.learn(records[start : start + 60])

    assert tries == [0, 1, 2, 3]
    assert after.outcome is Outcome.PROMOTED
    assert after.set_apart == ()
    assert after.given_up == (blamed,)
    brought = [row for row in loose.state().journal if row.sequence not in (0, blamed)]
    learned = sum(row.part == "learn" for row in brought)
    assert loose.state().statistics.num_records == learned_at(loose, 0) + learned


def test_going_back_and_forth_by_hand_tries_nothing(loose: Loop) -> None:
    records = stream(180)
    loose.learn(records[:120])
    blamed = loose.learn(records[120:180]).sequence
    for version in (0, blamed, 0):
        back = loose.learner.rollback(TASK, version, loose.config, who="me", why="back and forth")

    assert dict(zip(back.set_apart, back.set_apart_tries, strict=True)) == {blamed: 0}


def learned_at(loop: Loop, sequence: int) -> int:
    return loop.lineage.entry(sequence).evaluation.counts.learned


def test_a_trained_head_does_not_take_again_what_was_rolled_back_often_enough(loop: Loop) -> None:
    loop.learn(stream(60))
    trained = loop.config.model_copy(update={"head": HeadConfig(form="softmax")})
    state = replace(loop.state(), set_apart={1: (), 2: ()}, tries={1: 3, 2: 2})

    assert not_learned(state, trained) == {1}
    assert not_learned(replace(state, head=None), trained) == frozenset()
    assert not_learned(state, loop.config) == {1, 2}


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
