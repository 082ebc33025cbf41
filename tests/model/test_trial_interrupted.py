"""What may come while a refreshed encoder is on trial: a proven loss, a drift, a forgetting."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.config import DriftConfig, MonitorConfig
from model.data import Record
from model.drift import Change
from model.feedback import after_trial
from model.gain import NOTHING, Gain
from model.guard import Fault, Guard
from model.trial import Verdict
from schemas.evaluation import Outcome
from tests.model.forgetting import a_learned, direct, forgotten, same
from tests.model.loop import TASK, Loop, part_of, stream
from tests.model.test_monitor import OBLIGING, flipped
from tests.model.test_trial import PATIENT, as_answered, as_predecessor, as_successor, refreshed


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=PATIENT)


def as_on_probation(loop: Loop, records: list[Record]) -> list[Record]:
    """As the predecessor on probation answers, which is an older version than that of the trial."""
    probation = loop.state().probation
    assert probation is not None
    return as_answered(probation.head, probation.encoder, records)


def test_a_proven_loss_ends_it_without_a_verdict_where_the_encoder_did_no_worse(
    loop: Loop,
) -> None:
    records = stream(240)
    _, entry = refreshed(loop, records)
    assert entry.probation is not None
    assert entry.trial is not None
    loop.config = loop.config.model_copy(update={"monitor": MonitorConfig(records=120)})

    gone = loop.learn(as_on_probation(loop, records[180:240]))

    assert gone.rollback is not None
    assert gone.rollback.restores == entry.probation.version != entry.trial.version
    assert "proven" in gone.rollback.why
    assert gone.trial is None
    assert loop.state(loop.new_learner()).trial is None
    assert gone.plan == entry.plan
    assert gone.evaluation.prequential_accuracy is not None
    assert gone.version is not None
    assert "prequential_accuracy" not in gone.version.metrics


def test_a_proven_loss_is_a_lost_refresh_where_the_encoder_did_worse(loop: Loop) -> None:
    _, entry = refreshed(loop, stream(240))
    serving, trial = loop.state().encoder, loop.state().trial
    assert trial is not None
    fault = Fault(0, trial.encoder, "proven to be worse")
    worse, better = Gain(60, wrong=20, gained=2, lost=25), Gain(60, wrong=20, gained=3, lost=3)

    blamed = Guard(None, replace(trial, gain=worse), None)
    lost = blamed.concluded(fault, serving)

    assert lost == Verdict(worse, "proven to be worse", trial.plan)
    elsewhere = replace(fault, encoder=serving)
    assert blamed.concluded(elsewhere, serving) is None, "the encoder stays"
    ended = replace(blamed, verdict=Verdict(better, None, trial.plan))
    assert ended.concluded(elsewhere, serving) is None, "its trial ends where they are learned"
    assert ended.concluded(fault, serving) == ended.verdict
    assert Guard(None, replace(trial, gain=better), None).concluded(fault, serving) is None
    assert Guard(None, None, None).concluded(fault, serving) is None
    assert entry.plan is not None
    assert after_trial(entry.plan, lost, loop.config).rejected_in_a_row == 1


def test_a_drift_of_the_stream_ends_it_and_makes_a_refresh_due(loop: Loop) -> None:
    """On what nobody has learned yet the two answer as strangers: the encoder stays till then."""
    loop.config = loop.config.model_copy(update={"drift": DriftConfig(min_records=60)})
    records = stream(660)
    loop.learn(records[:240])
    loop.learn(records[240:480])
    entry = loop.refresh(records[:480])
    assert entry.trial is not None
    assert entry.version is not None

    drifted = loop.learn(flipped(records[480:660]))

    assert drifted.drifted_at is not None
    assert drifted.trial is None
    assert drifted.rollback is None
    assert drifted.encoder == entry.encoder
    assert "ends without a verdict: the stream drifted" in drifted.evaluation.reason
    due = loop.learner.due(TASK, loop.config)
    assert due is not None
    assert "drift" in due


def test_a_drift_that_the_encoder_alone_meets_ends_nothing(loop: Loop) -> None:
    _, entry = refreshed(loop, stream(240))
    trial = loop.state().trial
    assert trial is not None
    risen = Change(sequence=entry.sequence + 1, seen=240, before=0.2, after=0.5, answers=60)
    trial = replace(trial, num_records=60)
    better = Guard(None, replace(trial, gain=Gain(60, wrong=12, gained=2, lost=20)), None)
    as_bad = Guard(None, replace(trial, gain=Gain(60, wrong=28, gained=2, lost=4)), None)

    assert better.under(risen, DriftConfig()) == better
    assert better.under(None, DriftConfig()) == better
    ended = as_bad.under(risen, DriftConfig()).verdict
    assert ended is not None
    assert (ended.gain, ended.fault) == (NOTHING, None)
    assert ended.told.endswith("the stream drifted, and its predecessor errs on 47% too")


def test_records_of_labels_that_the_predecessor_never_learned_end_it(loop: Loop) -> None:
    refreshed(loop, stream(240))
    trial = loop.state().trial
    assert trial is not None
    lost = Gain(300, wrong=90, gained=2, lost=40)
    few = Guard(None, replace(trial, num_records=320, gain=lost), None)
    many = Guard(None, replace(trial, num_records=500, gain=lost), None)

    assert few.under(None, DriftConfig()) == few
    ended = many.under(None, DriftConfig()).verdict
    assert ended is not None
    assert (ended.gain, ended.fault) == (NOTHING, None)
    assert ended.told.endswith("its predecessor never learned the labels of 40% of the records")


def test_a_forgetting_lets_it_count_on_and_holds_when_the_encoder_goes(loop: Loop) -> None:
    records = stream(300)
    champion, _ = refreshed(loop, records)
    during = loop.learn(as_predecessor(loop, records[180:240]))
    assert during.trial is not None
    denied = a_learned(loop, records)

    entry = forgotten(loop, denied.id)
    assert entry.trial == during.trial
    gone = loop.learn(as_predecessor(loop, records[240:300]))

    assert gone.rollback is not None
    assert gone.outcome is Outcome.ROLLED_BACK
    assert gone.rollback.restores == champion.sequence
    assert "its head is solved anew without what is denied" in gone.evaluation.reason
    assert gone.trial is None
    again = loop.learn(records[240:300])
    assert again.windows
    assert part_of(loop, denied.id) == "unknown"
    same(loop.state(loop.new_learner()).statistics, direct(loop))


def test_a_rollback_that_leaves_the_encoder_leaves_its_trial(loop: Loop) -> None:
    records = stream(300)
    _, entry = refreshed(loop, records)
    during = loop.learn(as_successor(loop, records[180:240]))
    assert during.trial is not None

    back = loop.learner.rollback(TASK, entry.sequence, loop.config, who="me", why="a test")

    assert back.encoder == entry.encoder
    assert back.trial == during.trial
    assert loop.state(loop.new_learner()).trial is not None
