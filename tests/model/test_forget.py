"""Forgetting: the head is the one that was never taught, and stays so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import HeadConfig
from model.denied import DenyList, NotATextHashError
from model.forget import UnknownRecordError
from model.splits import text_hash
from schemas.evaluation import Outcome
from tests.model.forgetting import OBLIGING, a_learned, asked, direct, forgotten, same
from tests.model.loop import Loop, part_of, stream

HEADS = [
    HeadConfig(form="discriminant", features="plain", projection=16, shrinkage=0.3),
    HeadConfig(form="discriminant", features="projected", projection=16, shrinkage="oas"),
    HeadConfig(form="ridge", features="plain", projection=0),
    HeadConfig(form="ridge", features="projected", projection=16),
    HeadConfig(form="ridge", features="plain", projection=16, half_life_days=0.05),
    HeadConfig(form="discriminant", features="projected", projection=16, half_life_days=0.05),
]


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, **OBLIGING)


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("corrected", [False, True], ids=["as it came", "corrected since"])
def test_the_head_equals_one_that_was_never_taught_the_record(
    tmp_path: Path, tiny_encoder_folder: Path, head: HeadConfig, corrected: bool
) -> None:
    """Forgotten after two rounds, and learned on for a third."""
    taught = Loop(tmp_path / "taught", tiny_encoder_folder, head=head, **OBLIGING)
    never = Loop(tmp_path / "never", tiny_encoder_folder, head=head, **OBLIGING)
    records = stream(180)
    taught.learn(records[:60])
    record = a_learned(taught, records)
    again = [replace(record, offset=60, label="flat")] if corrected else []
    second = [replace(each, offset=each.offset + 1) for each in records[60:120]]
    third = [replace(each, offset=each.offset + 1) for each in records[120:]]
    taught.learn([*again, *second])

    entry = forgotten(taught, record.id)
    taught.learn(third)
    for window in (records[:60], second, third):
        never.learn([each for each in window if each.id != record.id])

    assert entry.outcome is Outcome.FORGOTTEN
    mine, theirs = taught.state(), never.state()
    same(mine.statistics, theirs.statistics)
    assert mine.head is not None
    assert theirs.head is not None
    assert mine.head.form == head.form
    np.testing.assert_allclose(mine.head.weight, theirs.head.weight, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(mine.head.bias, theirs.head.bias, rtol=2e-4, atol=2e-4)
    assert mine.head.temperature == pytest.approx(theirs.head.temperature, rel=1e-3)
    same(mine.statistics, direct(taught))


def test_the_head_serves_as_a_version_of_its_own_that_was_proven(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    before = loop.learn(records[60:])
    record = a_learned(loop, records)

    entry = forgotten(loop, record.id)

    assert before.version is not None
    assert entry.version is not None
    assert (entry.kind, entry.version.kind, entry.serving) == ("forget", "forget", entry.sequence)
    assert entry.version.parent == before.sequence
    assert entry.version.encoder == before.version.encoder
    assert entry.version.head != before.version.head
    assert entry.evaluation.metrics["parity"] < 1e-4
    assert entry.trained_through == before.trained_through
    assert entry.records_seen == before.records_seen
    assert entry.forgetting is not None
    assert entry.forgetting.learned_by == (0, 1)
    reason = entry.evaluation.reason
    assert reason.startswith("the data office had records forgotten: on request; 1 subtracted, ")
    assert "the gate, which only looks on: " in reason


def test_neither_id_nor_text_stands_in_what_is_written(loop: Loop) -> None:
    records = stream(60)
    secret = replace(records[0], id="ada.lovelace@example.org")
    loop.learn([secret, *records[1:]])

    entry = forgotten(loop, DenyList.of_id(secret.id) | DenyList.of_text(text_hash(secret.text)))

    said = entry.model_dump_json()
    assert secret.id not in said
    assert secret.text not in said
    state = loop.state(loop.new_learner())
    assert all(row.id != secret.id for row in (*state.journal, *state.replay.rows))
    texts = [*(row.text for row in state.holdout.rows), *(row.text for row in state.replay.rows)]
    assert secret.text not in texts
    assert secret.id not in state.features


def test_what_is_forgotten_is_not_learned_again(loop: Loop) -> None:
    records = stream(180)
    loop.learn(records[:60])
    record = a_learned(loop, records)
    forgotten(loop, record.id)
    loop.learner = loop.new_learner()

    repeated = [replace(record, offset=60), replace(record, offset=61, label="flat")]
    entry = loop.learn([*repeated, *(replace(r, offset=r.offset + 2) for r in records[60:120])])

    counts = entry.evaluation.counts
    assert (counts.denied, counts.skipped, counts.corrected) == (2, 2, 0)
    assert counts.learned + counts.held_out == 60
    assert loop.state().journal.get(record.id) is None
    same(loop.state().statistics, direct(loop))


def test_a_window_of_nothing_else_is_skipped_in_words(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    record = a_learned(loop, records)
    forgotten(loop, record.id)

    entry = loop.learn([replace(record, offset=60)])

    assert entry.outcome is Outcome.SKIPPED
    assert "1 on the deny list" in entry.evaluation.reason
    assert entry.denied_in == 1


def test_a_refresh_after_a_restart_reads_it_again_and_passes_it_over(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    loop.learn(records[60:])
    record = a_learned(loop, records)
    forgotten(loop, record.id)
    loop.learner = loop.new_learner()

    entry = loop.refresh(records)

    assert entry.outcome is Outcome.PROMOTED
    state = loop.state()
    assert state.journal.get(record.id) is None
    assert entry.covered == 1.0
    counts = state.statistics.counts
    assert counts.sum() == sum(part_of(loop, r.id) == "learn" for r in records)
    same(state.statistics, direct(loop))


def test_every_record_of_a_text_is_forgotten_by_its_hash(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    record = a_learned(loop, records)
    twins = [replace(record, offset=60 + n, id=f"twin-{n}") for n in range(2)]
    loop.learn(twins)
    target = DenyList.of_text(text_hash(record.text.upper()))

    traces, entry = asked(loop, target)

    assert entry is not None
    assert len(traces.counted) == 3
    assert {b.id for b in traces.brought} == {record.id, "twin-0", "twin-1"}
    assert loop.learn([replace(record, offset=62, id="a new id")]).evaluation.counts.denied == 1
    same(loop.state().statistics, direct(loop))


def test_an_id_leaves_other_records_of_the_same_text(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    record = a_learned(loop, records)
    loop.learn([replace(record, offset=60, id="twin")])

    forgotten(loop, record.id)

    assert loop.state().journal.get("twin") is not None
    assert len([r for r in loop.state().replay.rows if r.text == record.text]) <= 1
    same(loop.state().statistics, direct(loop))


def test_a_record_that_only_judged_changes_no_head(loop: Loop) -> None:
    records = stream(60)
    before = loop.learn(records)
    record = a_learned(loop, records, "judge")

    entry = forgotten(loop, record.id)

    assert (entry.version, entry.serving) == (None, before.sequence)
    assert record.id not in {row.id for row in loop.state(loop.new_learner()).holdout.rows}
    assert entry.forgetting is not None
    assert (entry.forgetting.num_learned, entry.forgetting.num_held_out) == (0, 1)
    assert entry.forgetting.learned_by == ()
    assert loop.learn(stream(60, start=60)).outcome is Outcome.PROMOTED


def test_a_record_that_chose_the_head_has_it_solved_anew(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    record = a_learned(loop, records, "select")

    assert forgotten(loop, record.id).version is not None


def test_an_unknown_record_is_an_error_and_nothing_is_written(loop: Loop) -> None:
    with pytest.raises(UnknownRecordError, match="no lineage"):
        asked(loop, "id-0")
    loop.learn(stream(60))

    with pytest.raises(UnknownRecordError, match="--unseen"):
        asked(loop, "nobody")

    assert loop.lineage.sequences() == [0]
    with pytest.raises(NotATextHashError, match="32 digits"):
        DenyList.of_text("the text itself")


def test_an_unknown_record_can_be_denied_before_it_comes(loop: Loop) -> None:
    loop.learn(stream(60))
    before = loop.state()

    entry = forgotten(loop, "id-60", unseen=True)

    assert entry.version is None
    assert loop.state().statistics is before.statistics
    assert loop.learn(stream(60, start=60)).evaluation.counts.denied == 1


def test_a_dry_run_tells_and_writes_nothing(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    record = a_learned(loop, records)

    traces, entry = asked(loop, record.id, dry_run=True)

    assert entry is None
    assert len(traces.counted) == 1
    assert loop.lineage.sequences() == [0]


def test_a_second_time_there_is_nothing_to_do(loop: Loop) -> None:
    records = stream(60)
    loop.learn(records)
    record = a_learned(loop, records)
    forgotten(loop, record.id)

    assert asked(loop, record.id)[1] is None
    assert loop.lineage.sequences() == [0, 1]


def test_the_deny_list_grows_and_is_carried_on(loop: Loop) -> None:
    records = stream(120)
    loop.learn(records[:60])
    one, other = [r for r in records if part_of(loop, r.id) == "learn"][:2]
    forgotten(loop, one.id)
    forgotten(loop, other.id)
    loop.learn(records[60:])

    denied = loop.state(loop.new_learner()).denied

    assert denied == DenyList.of_id(one.id) | DenyList.of_id(other.id)
    assert [entry.denied_in for entry in map(loop.lineage.entry, range(4))] == [None, 1, 2, 2]
