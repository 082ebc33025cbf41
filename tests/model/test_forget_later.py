"""Forgetting stands through restarts, rollbacks, refreshes and races."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.denied import DenyList
from model.errors import TipMovedError
from model.exporter import Exporter
from model.learner import wall_clock
from model.splits import split_of, text_hash
from model.update import increment
from schemas.evaluation import Outcome
from tests.model.forgetting import OBLIGING, a_learned, asked, direct, forgotten, same
from tests.model.loop import NEVER, TASK, Loop, MemoryLog, a_window, part_of, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, **OBLIGING)


def test_a_restart_gives_the_same_state(loop: Loop) -> None:
    records = stream(180)
    loop.learn(records[:60])
    record = a_learned(loop, records)
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    loop.learn([replace(record, offset=60, label="flat"), *stream(60, start=61)])

    forgotten(loop, a_learned(loop, records[1:]).id)

    held, read = loop.state(), loop.state(loop.new_learner())
    assert held.set_apart
    assert [row.id for row in read.journal] == [row.id for row in held.journal]
    assert {s: sorted((r.id, r.weight) for r in rows) for s, rows in read.set_apart.items()} == {
        s: sorted((r.id, r.weight) for r in rows) for s, rows in held.set_apart.items()
    }
    np.testing.assert_array_equal(read.statistics.gram, held.statistics.gram)
    assert read.holdout.rows == held.holdout.rows
    assert read.replay.rows == held.replay.rows
    assert read.denied == held.denied


@pytest.mark.parametrize("by", ["id", "the text before", "the text since"])
def test_a_rejected_correction_is_forgotten_with_what_it_would_replace(loop: Loop, by: str) -> None:
    records = stream(120)
    loop.learn(records[:60])
    record = next(r for r in records if part_of(loop, r.id) == "learn" and r.label == "up")
    text = next(
        t for n in range(99) if part_under(loop, t := f"demand fell in the north {n}") == "learn"
    )
    correction = replace(record, offset=60, text=text, label="down")
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    assert loop.learn([correction]).set_apart == (1,)

    target = {
        "id": DenyList.of_id(record.id),
        "the text before": DenyList.of_text(text_hash(record.text)),
        "the text since": DenyList.of_text(text_hash(correction.text)),
    }[by]
    traces, _ = asked(loop, target)

    state = loop.state(loop.new_learner())
    apart = [row for rows in state.set_apart.values() for row in rows]
    assert len(traces.counted) == (by != "the text since")
    assert [row.label for row in apart] == (["down"] if by == "the text before" else [])
    row = state.journal.get(record.id)
    labels = {"id": None, "the text before": "down", "the text since": record.label}
    assert (row.label if row else None) == labels[by]
    same(loop.state().statistics, direct(loop))
    loop.config = loop.config.model_copy(update=OBLIGING)
    loop.learn(stream(60, start=61))
    same(loop.state().statistics, direct(loop))


def part_under(loop: Loop, text: str) -> str:
    return split_of(text, salt=loop.config.holdout.salt, share=loop.config.holdout.share)


def test_a_record_that_the_journal_has_let_go_is_subtracted_too(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path / "a", tiny_encoder_folder, duplicate_horizon_records=60, **OBLIGING)
    never = Loop(tmp_path / "b", tiny_encoder_folder, duplicate_horizon_records=60, **OBLIGING)
    records = stream(180)
    loop.learn(records[:60])
    record = a_learned(loop, records)
    for start in (60, 120):
        loop.learn(records[start : start + 60])
    assert loop.state().journal.get(record.id) is None

    traces, _ = asked(loop, record.id)

    assert len(traces.counted) == 1
    assert traces.num_unsure == 0
    for start in (0, 60, 120):
        never.learn([r for r in records[start : start + 60] if r.id != record.id])
    same(loop.state().statistics, never.state().statistics)
    again, entry = asked(loop, DenyList.of_text(text_hash(record.text)))
    assert entry is not None
    assert again.counted == (), "it is subtracted once"


def test_what_a_refresh_read_behind_the_journal_is_named_as_unsure(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, duplicate_horizon_records=60, **OBLIGING)
    records = stream(120)
    loop.learn(records[:60])
    record = a_learned(loop, records)
    loop.learn(records[60:])
    loop.refresh(records)

    traces, entry = asked(loop, record.id)

    assert entry is not None
    assert (traces.counted, traces.num_unsure) == ((), 1)
    assert traces.tuned == (2,)
    assert loop.learner.owes_refresh(TASK, loop.config)


def test_a_rollback_keeps_to_the_deny_list(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    loop = Loop(tmp_path / "a", tiny_encoder_folder, **OBLIGING)
    never = Loop(tmp_path / "b", tiny_encoder_folder, **OBLIGING)
    records = stream(180)
    loop.learn(records[:60])
    record = a_learned(loop, records)
    loop.learn(records[60:120])
    forgotten(loop, record.id)

    entry = loop.learner.rollback(TASK, 0, loop.config, who="ops", why="it lost its way")

    never.learn([r for r in records[:60] if r.id != record.id])
    mine, theirs = loop.state(loop.new_learner()), never.state()
    same(mine.statistics, theirs.statistics)
    assert mine.head is not None
    assert theirs.head is not None
    np.testing.assert_allclose(mine.head.weight, theirs.head.weight, rtol=1e-4, atol=1e-4)
    assert entry.version is not None
    first = loop.lineage.entry(0).version
    assert first is not None
    assert entry.version.head != first.head
    assert entry.version.encoder == first.encoder
    assert "solved anew without what is denied" in entry.evaluation.reason
    assert entry.denied_in == 2
    after = loop.learn(
        [replace(record, offset=120), *(replace(r, offset=r.offset + 1) for r in records[120:])]
    )
    assert after.evaluation.counts.denied == 1
    assert loop.state().journal.get(record.id) is None
    same(loop.state().statistics, direct(loop))


def test_who_names_no_version_goes_back_behind_what_only_forgot(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    loop.learn(records[60:])
    forgotten(loop, a_learned(loop, records).id)

    entry = loop.learner.rollback(TASK, None, loop.config, who="ops", why="it lost its way")

    assert entry.rollback is not None
    assert (entry.rollback.restores, entry.rollback.blamed) == (0, (1,))


def test_an_encoder_that_was_tuned_on_it_is_named_and_refitted_from_before(loop: Loop) -> None:
    records = stream(180)
    base = loop.learn(records[:60])
    record = a_learned(loop, records)
    loop.learn(records[60:120])
    tuned = loop.refresh(records)
    loop.learn(records[120:])
    assert base.encoder is not None
    assert tuned.encoder is not None

    traces, entry = asked(loop, record.id)

    assert entry is not None
    assert traces.tuned == (tuned.sequence,)
    assert traces.encoders == (tuned.encoder.digest,)
    assert loop.learner.owes_refresh(TASK, loop.config)
    loop.learner = loop.new_learner()
    log = MemoryLog(records)
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    renewed = loop.learner.refresh(TASK, "erasure", log, loop.config, erases=True)
    assert renewed.outcome is Outcome.PROMOTED, "erasure is owed, whatever the gate says"
    assert renewed.fitted_from == base.encoder.digest
    assert renewed.encoder not in (base.encoder, tuned.encoder)
    assert renewed.probation is None
    assert loop.state().journal.get(record.id) is None
    assert not loop.learner.owes_refresh(TASK, loop.config)
    loop.config = loop.config.model_copy(update=OBLIGING)
    back = loop.learner.rollback(TASK, tuned.sequence, loop.config, who="ops", why="a test")
    assert "tuned on what is denied" in back.evaluation.reason
    assert loop.learner.owes_refresh(TASK, loop.config)


def test_an_encoder_that_never_saw_it_is_not_named(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    loop.refresh(records[:60])
    loop.learn(records[60:])
    record = a_learned(loop, records[60:])

    traces, _ = asked(loop, record.id)

    assert traces.tuned == ()
    assert traces.learned_by == (2,)
    assert not loop.learner.owes_refresh(TASK, loop.config)


def test_the_last_record_leaves_a_head_that_knows_nothing(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    learned = [r for r in records if part_of(loop, r.id) == "learn"]
    target = DenyList.of_id(learned[0].id)
    for record in learned[1:]:
        target |= DenyList.of_id(record.id)

    entry = forgotten(loop, target)

    assert entry.version is not None
    assert loop.state(loop.new_learner()).statistics.num_records == 0
    assert loop.learn(stream(60, start=60)).outcome is Outcome.PROMOTED


def test_an_update_in_flight_loses_the_race_and_finds_it_denied(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    in_flight, record = loop.state(), a_learned(loop, records)
    forgotten(loop, record.id)

    with pytest.raises(TipMovedError):
        increment(
            in_flight,
            [a_window(records[60:])],
            config=loop.config,
            lineage=loop.lineage,
            exporter=Exporter(loop.store, loop.templates, threads=1),
            progress=lambda _stage, /, **_fields: None,
            clock=wall_clock,
        )

    assert loop.learn(records[60:]).sequence == 2
    same(loop.state().statistics, direct(loop))
