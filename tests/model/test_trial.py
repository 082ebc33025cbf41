"""A refreshed encoder is on trial: the windows after it say whether it stays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.gate import taken_back_share
from model.config import FeedbackConfig, HeadConfig, MonitorConfig, TaskConfig
from model.data import Record
from model.encoder import Encoder
from model.feedback import after_trial
from model.gain import NOTHING, Gain
from model.head import LinearHead
from model.monitor import Probation
from model.plan import Adjustment, Plan
from schemas.evaluation import Outcome
from tests.model.loop import Loop, stream
from tests.model.test_monitor import OBLIGING
from tests.model.tiny import LABELS, tiny_encoder

CONFIG = TaskConfig()
OWN = Plan(promoted_refreshes=1)
PATIENT = MonitorConfig(records=120, max_loss=1.0)
"""Under which no loss is proven, so that only the end of the trial can take a version back."""


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=PATIENT)


def probation(
    folder: Path, num_records: int, gains: int, losses: int, *, trial: bool = True
) -> Probation:
    head = LinearHead(np.zeros((3, 32), np.float32), np.zeros(3, np.float32), 1.0, "ridge", 1.0)
    encoder = tiny_encoder(folder / "encoder")
    return Probation(4, head, encoder, num_records, gains, losses, trial=trial)


def as_answered(by: LinearHead, encoder: Encoder, records: list[Record]) -> list[Record]:
    """Records whose labels are what a version answers, so that it has all of them right."""
    answers = by.predict(encoder.features([record.text for record in records]))
    return [replace(r, label=LABELS[answer]) for r, answer in zip(records, answers, strict=True)]


def as_predecessor(loop: Loop, records: list[Record]) -> list[Record]:
    known = loop.state().probation
    assert known is not None
    return as_answered(known.head, known.encoder, records)


def as_successor(loop: Loop, records: list[Record]) -> list[Record]:
    state = loop.state()
    assert state.head is not None
    return as_answered(state.head, state.encoder, records)


def test_an_encoder_that_did_worse_goes_at_the_end_and_what_came_since_is_learned_again(
    loop: Loop,
) -> None:
    records = stream(360)
    loop.learn(records[:120])
    before = loop.learn(records[120:180])
    refreshed = loop.refresh(records[:180])
    assert refreshed.probation is not None
    assert refreshed.probation.version == before.sequence, "not one before it, also if unconfirmed"
    assert refreshed.probation.trial

    during = loop.learn(as_predecessor(loop, records[180:240]))
    state = loop.state(loop.new_learner())
    assert state.probation is not None, "the trial survives a restart"
    gone = loop.learn(as_predecessor(loop, records[240:300]))
    again = loop.learn(records[240:300])

    assert during.kind == "increment"
    assert (gone.kind, gone.outcome, gone.windows) == ("rollback", Outcome.ROLLED_BACK, ())
    assert gone.rollback is not None
    assert gone.rollback.restores == before.sequence
    assert gone.rollback.blamed == (during.sequence,)
    assert "where a refreshed encoder may be" in gone.evaluation.reason
    assert before.encoder is not None
    assert loop.state().encoder.digest == before.encoder.digest
    assert again.windows
    assert gone.plan is not None
    assert gone.refreshed_at == refreshed.refreshed_at, "no first refresh is due again"
    assert gone.plan.refresh_interval == 2
    assert gone.plan.learning_rate_scale == 0.5
    assert gone.plan.rejected_in_a_row == 1
    assert "the refresh was rolled back" in gone.plan.changes[0].reason


def test_an_encoder_that_holds_its_ground_stays(loop: Loop) -> None:
    records = stream(420)
    loop.learn(records[:120])
    loop.refresh(records[:120])
    loop.learn(as_successor(loop, records[120:180]))

    last = loop.learn(as_successor(loop, records[180:420]))

    assert last.kind == "increment"
    assert last.probation is None or not last.probation.trial
    assert last.plan is not None
    assert last.plan.compute_share == CONFIG.feedback.paying_compute_share
    assert "paid on its trial" in last.plan.changes[-1].reason


@pytest.mark.parametrize("why", ["no trial", "no log", "no monitor", "trained head"])
def test_where_it_cannot_be_taken_back_without_loss_there_is_no_trial(loop: Loop, why: str) -> None:
    config = loop.config
    changes: dict[str, dict[str, Any]] = {
        "no trial": {"monitor": MonitorConfig(trial=False)},
        "no log": {"refresh": config.refresh.model_copy(update={"read_log": False})},
        "no monitor": {"monitor": MonitorConfig(enabled=False)},
        "trained head": {"head": HeadConfig(form="softmax")},
    }
    loop.config = config.model_copy(update=changes[why])
    loop.learn(stream(120))
    refreshed = loop.refresh(stream(120))
    assert refreshed.outcome is Outcome.PROMOTED
    assert refreshed.probation is None or not refreshed.probation.trial


@pytest.mark.parametrize(
    ("num_records", "gains", "losses", "goes"),
    [
        (500, 44, 58, True),
        (500, 1, 5, False),  # beyond chance, and not worth going back
        (500, 90, 100, False),  # two points, as chance gives
        (499, 20, 34, False),  # not over
        (500, 58, 44, False),
    ],
)
def test_what_counts_as_worse(
    num_records: int, gains: int, losses: int, goes: bool, tmp_path: Path
) -> None:
    on_trial = probation(tmp_path, num_records, gains, losses)
    other = probation(tmp_path, num_records, gains, losses, trial=False)
    assert (on_trial.fault(MonitorConfig()) is not None) is goes
    assert other.fault(MonitorConfig()) is None, "an increment goes by proof alone"


def test_how_often_a_trial_takes_back_what_is_as_good_better_or_worse() -> None:
    """`benchmarks/GATE.md` has the whole table."""

    def share(difference: float) -> float:
        return taken_back_share(500, difference, trials=2000, config=MonitorConfig())

    assert 0.1 <= share(0.0) <= 0.17
    assert share(0.02) <= 0.01
    assert share(-0.02) >= 0.6
    assert share(-0.05) >= 0.97


def test_labels_that_the_predecessor_never_learned_say_nothing_of_the_encoder(
    loop: Loop,
) -> None:
    records = stream(180)
    first = [replace(r, label="up" if r.label == "flat" else r.label) for r in records[:120]]
    loop.learn(first)
    loop.refresh(first)

    loop.learn(records[120:])

    seen = loop.state().probation
    assert seen is not None
    assert seen.num_records == 60
    assert seen.known.records == sum(record.label != "flat" for record in records[120:])


SURE = Gain(records=500, wrong=60, gained=40, lost=12)
SMALL = Gain(records=500, wrong=200, gained=50, lost=24)


def test_a_sure_gain_on_trial_frees_the_budget_and_another_changes_nothing() -> None:
    paid = after_trial(OWN, SURE, CONFIG, gone=None)
    assert paid.compute_share == CONFIG.feedback.paying_compute_share
    assert "+28 answers of 500" in paid.changes[0].reason
    refreshed = OWN.adjusted(
        Adjustment(field="epochs", before=None, after=1, reason="what the refresh changed")
    )
    both = after_trial(refreshed, SURE, CONFIG, gone=None).changes
    assert [each.field for each in both] == ["epochs", "compute_share"], "both can be read"
    assert after_trial(paid, SURE, CONFIG, gone=None).compute_share == paid.compute_share
    for gain in (SMALL, NOTHING):
        assert after_trial(OWN, gain, CONFIG, gone=None) == OWN
    off = CONFIG.model_copy(update={"feedback": FeedbackConfig(enabled=False)})
    assert after_trial(OWN, SURE, off, gone=None) == OWN


def test_a_loss_on_trial_counts_as_a_refresh_that_brought_no_version() -> None:
    paying = OWN.model_copy(update={"compute_share": 0.95, "spent_sample_steps": 900.0})

    plan = after_trial(paying, Gain(500, 60, 10, 30), CONFIG, gone=Outcome.ROLLED_BACK)

    assert (plan.refresh_interval, plan.learning_rate_scale) == (2, 0.5)
    assert (plan.compute_share, plan.rejected_in_a_row) == (None, 1)
    assert plan.spent_sample_steps == 900, "its fit was counted when it ended"
    assert "rolled back (-20 answers of 500" in plan.changes[-1].reason
