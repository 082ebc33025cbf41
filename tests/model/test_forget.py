"""Forgetting: the head is the one that was never taught, and stays so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import GateConfig, HeadConfig, MonitorConfig
from model.data import Record
from model.deltas import applied
from model.denied import DenyList, NotATextHashError
from model.errors import TipMovedError
from model.exporter import Exporter
from model.forget import UnknownRecordError
from model.learner import wall_clock
from model.lineage import LineageEntry
from model.splits import split_of, text_hash
from model.statistics import Statistics
from model.traces import Traces
from model.update import increment
from schemas.evaluation import Outcome
from tests.model.loop import NEVER, TASK, Loop, MemoryLog, a_window, part_of, stream

OBLIGING: dict[str, Any] = {"gate": GateConfig(obey=False), "monitor": MonitorConfig(enabled=False)}
"""A gate that promotes whatever comes, and nobody who watches it."""


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, **OBLIGING)


def forgotten(loop: Loop, denied: DenyList | str, **options: bool) -> LineageEntry:
    entry = asked(loop, denied, **options)[1]
    assert entry is not None
    return entry


def asked(
    loop: Loop, denied: DenyList | str, **options: bool
) -> tuple[Traces, LineageEntry | None]:
    target = DenyList.of_id(denied) if isinstance(denied, str) else denied
    return loop.learner.forget(
        TASK, target, loop.config, who="the data office", why="on request", **options
    )


def a_learned(loop: Loop, records: list[Record], part: str = "learn") -> Record:
    """One behind the first three: they tell in which order labels are known."""
    return next(record for record in records[3:] if part_of(loop, record.id) == part)


def direct(loop: Loop) -> Statistics:
    """The statistics of every counted row, summed up at once with its weight and its clock."""
    state = loop.state(loop.new_learner())
    gone = {*state.set_apart, *(state.tip.given_up if state.tip else ())}
    nothing = Statistics.empty(
        state.encoder.dim,
        len(state.labels),
        projected=state.statistics.projected,
        clock=state.statistics.clock,
    )
    counting = [row for row in state.journal if row.sequence not in gone]
    return applied(nothing, counting, state.label_index())


def same(one: Statistics, other: Statistics) -> None:
    np.testing.assert_allclose(one.counts, other.counts, atol=1e-9)
    np.testing.assert_allclose(one.sums, other.sums, atol=1e-9)
    np.testing.assert_allclose(one.gram, other.gram, atol=1e-8)


HEADS = [
    HeadConfig(form="discriminant", features="plain", projection=16, shrinkage=0.3),
    HeadConfig(form="discriminant", features="projected", projection=16, shrinkage="oas"),
    HeadConfig(form="ridge", features="plain", projection=0),
    HeadConfig(form="ridge", features="projected", projection=16),
    HeadConfig(form="ridge", features="plain", projection=16, half_life_days=0.05),
    HeadConfig(form="discriminant", features="projected", projection=16, half_life_days=0.05),
]


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
