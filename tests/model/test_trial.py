"""A refreshed encoder is on trial: the windows after it say whether it stays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import FeedbackConfig, HeadConfig, MonitorConfig, RefreshConfig, TaskConfig
from model.data import Record
from model.encoder import Encoder
from model.findings import Findings
from model.gain import Gain
from model.head import LinearHead
from model.lineage_entry import LineageEntry
from model.outlook import regime
from model.plan import Plan
from model.trial import Trial, Verdict
from schemas.evaluation import Outcome
from tests.model.loop import TASK, Loop, stream
from tests.model.test_monitor import OBLIGING
from tests.model.tiny import LABELS

CONFIG = TaskConfig()
PAYING = CONFIG.feedback.paying_compute_share
OWN = Plan(promoted_refreshes=1)
LOSS = Gain(records=500, wrong=60, gained=10, lost=30)
PATIENT = MonitorConfig(records=120, max_loss=1.0)
"""Under which no loss is proven, so that only the end of the trial can take a version back."""


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=PATIENT)


def trial_of(loop: Loop) -> Trial:
    held = loop.state().trial
    assert held is not None
    return held


def as_answered(by: LinearHead, encoder: Encoder, records: list[Record]) -> list[Record]:
    """Records whose labels are what a version answers, so that it has all of them right."""
    answers = by.predict(encoder.features([record.text for record in records]))
    return [replace(r, label=LABELS[answer]) for r, answer in zip(records, answers, strict=True)]


def as_predecessor(loop: Loop, records: list[Record]) -> list[Record]:
    return as_answered(trial_of(loop).head, trial_of(loop).encoder, records)


def as_successor(loop: Loop, records: list[Record]) -> list[Record]:
    return as_answered(trial_of(loop).successor, loop.state().encoder, records)


def refreshed(loop: Loop, records: list[Record]) -> tuple[LineageEntry, LineageEntry]:
    """Two increments and a refresh: the champion before it, and its entry."""
    loop.learn(records[:120])
    champion = loop.learn(records[120:180])
    entry = loop.refresh(records[:180])
    assert entry.outcome is Outcome.PROMOTED
    return champion, entry


def test_an_encoder_that_did_worse_goes_at_the_end_and_what_came_since_is_learned_again(
    loop: Loop,
) -> None:
    records = stream(360)
    champion, entry = refreshed(loop, records)
    assert entry.trial is not None
    assert entry.probation is not None
    assert entry.trial.version == champion.sequence != entry.probation.version

    during = loop.learn(as_predecessor(loop, records[180:240]))
    assert during.kind == "increment"
    last = as_predecessor(loop, records[240:300])
    loop.learner = loop.new_learner()  # as after a restart
    gone, again = loop.learn(last), loop.learn(records[240:300])

    assert (gone.kind, gone.outcome, gone.windows) == ("rollback", Outcome.ROLLED_BACK, ())
    assert gone.rollback is not None
    assert (gone.rollback.restores, gone.rollback.blamed) == (champion.sequence, (during.sequence,))
    assert f"on the next 120 records the encoder of version {entry.sequence}" in gone.rollback.why
    assert gone.trial is again.trial is None
    assert gone.encoder == champion.encoder
    assert again.windows
    assert gone.set_apart == (during.sequence,), "for the next increment to learn again"
    assert gone.refreshed_at == entry.refreshed_at, "no first refresh is due again"
    assert gone.plan is not None
    assert (gone.plan.refresh_interval, gone.plan.learning_rate_scale) == (2, 0.5)
    assert gone.plan.spent_sample_steps == 180 - _held_out(loop, 180)


def _held_out(loop: Loop, end: int) -> int:
    return sum(int(row.id.removeprefix("id-")) < end for row in loop.state().holdout.rows)


def test_an_encoder_that_did_better_stays_and_the_next_may_cost_more(loop: Loop) -> None:
    records = stream(420)
    refreshed(loop, records)
    loop.learn(as_successor(loop, records[180:240]))

    last = loop.learn(as_successor(loop, records[240:420]))

    assert last.kind == "increment"
    assert last.trial is None
    assert last.plan is not None
    assert last.plan.compute_share == PAYING
    assert "paid on trial" in last.plan.changes[-1].reason
    assert "stays after its trial (+" in last.evaluation.reason


def test_both_heads_stay_as_they_were_and_the_counts_survive_a_restart(loop: Loop) -> None:
    records = stream(240)
    refreshed(loop, records)
    before = trial_of(loop)
    window = records[180:240]
    theirs = [before.encoder, loop.state().encoder]
    right = [
        [a == r for a, r in zip(as_answered(head, encoder, window), window, strict=True)]
        for head, encoder in zip((before.head, before.successor), theirs, strict=True)
    ]

    loop.learn(window)

    held, read = trial_of(loop), loop.state(loop.new_learner()).trial
    assert read is not None
    assert held.gain == read.gain == Gain.between(*(np.array(each) for each in right))
    assert (held.version, held.refreshed, held.plan) == (read.version, read.refreshed, read.plan)
    assert held.num_records == read.num_records == 60
    assert read.encoder.digest == before.encoder.digest != loop.state().encoder.digest
    np.testing.assert_array_equal(read.head.weight, before.head.weight)
    np.testing.assert_array_equal(read.successor.weight, before.successor.weight)


def test_records_of_labels_that_the_predecessor_never_learned_say_nothing(loop: Loop) -> None:
    records = stream(180)
    two = [replace(r, label="up" if r.label == "flat" else r.label) for r in records]
    loop.learn(two[:120])
    loop.refresh(two[:120])

    loop.learn([*two[120:150], *records[150:180]])  # 10 of 60 are of a label that is new

    seen = trial_of(loop)
    assert seen.num_records == 60
    assert seen.gain.records == 50


def test_a_trial_that_cannot_be_obeyed_still_counts_in_the_plan(loop: Loop) -> None:
    records = stream(360)
    champion, _ = refreshed(loop, records)
    last = as_predecessor(loop, records[180:300])
    assert champion.version is not None
    loop.store.delete(champion.version.head.path)

    entry = loop.learn(last)

    assert "rollback_refused" in loop.stages
    assert entry.kind == "increment"
    assert entry.trial is None
    assert entry.plan is not None
    assert entry.plan.refresh_interval == 2


def test_no_refresh_is_due_by_interval_before_the_trial_has_ended(loop: Loop) -> None:
    records = stream(420)
    loop.config = loop.config.model_copy(
        update={
            "refresh": RefreshConfig(
                first_after_records=150, every_records=60, least_records=10, newest_records=40
            ),
            "feedback": FeedbackConfig(compute_share=1.0, paying_compute_share=9.0),
        }
    )
    refreshed(loop, records)
    loop.learn(as_successor(loop, records[180:240]))
    assert loop.learner.due(TASK, loop.config) is None

    loop.learn(as_successor(loop, records[240:300]))
    assert loop.learner.due(TASK, loop.config) is not None


def test_another_refresh_begins_a_trial_of_its_own(loop: Loop) -> None:
    records = stream(240)
    champion, first = refreshed(loop, records)
    loop.learn(as_successor(loop, records[180:240]))
    again = loop.refresh(records)

    assert first.trial is not None
    assert again.trial is not None
    assert first.trial.version == champion.sequence < again.trial.version
    assert (again.trial.refreshed, again.trial.num_records) == (again.sequence, 0)


@pytest.mark.parametrize("why", ["no trial", "no log", "no monitor", "trained head"])
def test_where_it_could_not_be_taken_back_without_loss_there_is_none(loop: Loop, why: str) -> None:
    config = loop.config
    changes: dict[str, dict[str, Any]] = {
        "no trial": {"monitor": MonitorConfig(trial=False)},
        "no log": {"refresh": config.refresh.model_copy(update={"read_log": False})},
        "no monitor": {"monitor": MonitorConfig(enabled=False)},
        "trained head": {"head": HeadConfig(form="softmax")},
    }
    loop.config = config.model_copy(update=changes[why])
    loop.learn(stream(120))
    if why != "trained head":  # which has no version before its first fit
        loop.learn(stream(60, start=120))
    entry = loop.refresh(stream(180))

    assert entry.outcome is Outcome.PROMOTED
    assert entry.trial is None
    assert (entry.probation is not None) is (why in ("no trial", "no log"))


def test_switching_it_off_ends_one_that_is_under_way(loop: Loop) -> None:
    records = stream(360)
    refreshed(loop, records)
    last = as_predecessor(loop, records[180:300])
    loop.config = loop.config.model_copy(
        update={"monitor": PATIENT.model_copy(update={"trial": False})}
    )
    entry = loop.learn(last)
    assert (entry.kind, entry.trial) == ("increment", None)


def test_a_drift_that_the_encoder_made_goes_with_it(loop: Loop) -> None:
    records = stream(240)
    champion, _ = refreshed(loop, records)
    state = loop.state()
    assert state.tip is not None
    blamed = replace(state, tip=state.tip.model_copy(update={"drifted_at": 200, "horizon_from": 3}))
    findings = Findings(
        kind="rollback",
        outcome=Outcome.ROLLED_BACK,
        reason="it lost",
        config=loop.config,
        trained_through={},
        restored=champion,
        trial=Verdict(LOSS, "it lost", OWN),
    )

    after = regime(blamed, findings)

    assert after["drifted_at"] is None
    assert after["horizon_from"] == 0
    assert after["watch"] == champion.watch
    by_a_person = replace(findings, trial=None)
    assert regime(blamed, by_a_person)["drifted_at"] == 200
