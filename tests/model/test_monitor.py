"""A version that has taken over is watched: its predecessor answers beside it for a while."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import GateConfig, MonitorConfig, RefreshConfig, ReplayMemoryConfig
from model.data import Record
from model.head import LinearHead
from model.intervals import proves_loss
from model.lineage_entry import ProbationRef
from model.monitor import Probation
from schemas.base import Span
from schemas.evaluation import Outcome
from tests.model.loop import TASK, Loop, MemoryLog, a_window, stream
from tests.model.tiny import tiny_encoder

FLIPPED = {"down": "up", "up": "flat", "flat": "down"}
OBLIGING = GateConfig(obey=False)


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=MonitorConfig(records=150))


def flipped(records: list[Record]) -> list[Record]:
    return [replace(record, label=FLIPPED[record.label]) for record in records]


def test_a_version_that_proves_worse_is_rolled_back_by_itself(loop: Loop) -> None:
    records = stream(420)
    good = loop.learn(records[:120])
    bad = loop.learn(flipped(records[120:360]))
    assert bad.outcome is Outcome.PROMOTED

    entry = loop.learn(records[360:])
    again = loop.learn(records[360:])

    assert (entry.kind, entry.outcome) == ("rollback", Outcome.ROLLED_BACK)
    assert entry.windows == ()
    assert entry.rollback is not None
    assert (entry.rollback.who, entry.rollback.restores) == ("monitor", good.sequence)
    assert "on the next 60 records it lost" in entry.evaluation.reason
    assert f"that version {good.sequence} had right" in entry.evaluation.reason
    assert again.kind == "increment"
    assert again.windows, "the window is learned after the rollback"


class CountingLog(MemoryLog):
    """One that counts how often it is read."""

    num_reads = 0

    def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
        self.num_reads += 1
        return super().read(task, span, strict=strict)


@pytest.mark.parametrize("read_log", [True, False])
def test_a_rollback_reads_the_log_where_that_is_allowed_and_works_without(
    loop: Loop, read_log: bool
) -> None:
    """Records whose texts nothing else holds are given up; the round is a rollback as ever."""
    loop.config = loop.config.model_copy(
        update={
            "refresh": RefreshConfig(read_log=read_log),
            "replay_memory": ReplayMemoryConfig(records=1),
            "monitor": MonitorConfig(records=150, trial=False),
        }
    )
    records = stream(426)
    records[120:360] = flipped(records[120:360])
    log = CountingLog(records)
    good, bad = loop.learn(records[:120]), loop.learn(records[120:360])
    assert loop.refresh(records[:360]).outcome is Outcome.PROMOTED
    few, window = [a_window(records[360:366])], [a_window(records[366:])]
    under_another = loop.learner.increment(TASK, few, loop.config, log)
    assert under_another.kind == "increment", "six records prove nothing"

    entry = loop.learner.increment(TASK, window, loop.config, log)
    again = loop.learner.increment(TASK, window, loop.config, log)

    assert (entry.kind, entry.outcome) == ("rollback", Outcome.ROLLED_BACK)
    assert entry.encoder == good.encoder != under_another.encoder
    assert (log.num_reads > 0) is read_log
    apart = (bad.sequence, under_another.sequence)
    assert (entry.set_apart, entry.given_up) == (
        (apart, ()) if read_log else (apart[:1], apart[1:])
    )
    assert (again.kind, again.windows) == ("increment", (window[0].window.window_id,))


def test_a_version_that_holds_its_ground_is_confirmed(loop: Loop) -> None:
    records = stream(360)
    loop.learn(records[:120])
    second = loop.learn(records[120:180])
    third = loop.learn(records[180:300])
    fourth = loop.learn(records[300:360])

    assert second.probation == ProbationRef(version=0, num_records=0, gains=0, losses=0)
    assert third.probation is not None
    assert (third.probation.version, third.probation.num_records) == (0, 120)
    assert fourth.probation is not None, "the next version has the confirmed one behind it"
    assert (fourth.probation.version, fourth.probation.num_records) == (2, 0)


def test_the_counts_survive_a_restart(loop: Loop) -> None:
    records = stream(240)
    for start in (0, 60, 120):
        loop.learn(records[start : start + 60])

    held, read = loop.state().probation, loop.state(loop.new_learner()).probation

    assert held is not None
    assert read is not None
    assert (read.version, read.num_records) == (held.version, held.num_records) == (0, 60)
    assert (read.gains, read.losses) == (held.gains, held.losses)
    np.testing.assert_array_equal(read.head.weight, held.head.weight)


def test_a_refreshed_version_is_watched_beside_the_older_encoder(loop: Loop) -> None:
    records = stream(300)
    loop.learn(records[:120])
    before = loop.state()
    refreshed = loop.refresh(records[:120])
    assert refreshed.outcome is Outcome.PROMOTED

    watched = loop.state(loop.new_learner()).probation
    assert watched is not None
    assert watched.encoder.digest == before.encoder.digest != loop.state().encoder.digest
    assert before.head is not None
    features = before.encoder.features([record.text for record in records[120:180]])
    right = [before.labels[i] for i in before.head.predict(features)]
    expected = sum(a == r.label for a, r in zip(right, records[120:180], strict=True))

    after = loop.learn(records[120:180])

    assert after.probation is not None
    assert after.probation.num_records == 60
    prequential = after.evaluation.prequential_accuracy
    assert prequential is not None
    gained = after.probation.gains - after.probation.losses
    assert expected + gained == round(60 * prequential)


def test_switched_off_it_keeps_no_predecessor(loop: Loop) -> None:
    loop.config = loop.config.model_copy(update={"monitor": MonitorConfig(enabled=False)})
    loop.learn(stream(60))
    assert loop.learn(stream(60, start=60)).probation is None


@pytest.mark.parametrize(
    ("num_records", "gains", "losses", "goes"),
    [
        (200, 2, 6, False),
        (200, 5, 25, True),
        (60, 0, 4, False),
        (60, 0, 20, True),
        (0, 0, 0, False),
    ],
)
def test_only_a_loss_proven_to_be_over_the_limit_counts(
    num_records: int, gains: int, losses: int, goes: bool, tmp_path: Path
) -> None:
    head = LinearHead(np.zeros((3, 32), np.float32), np.zeros(3, np.float32), 1.0, "ridge", 1.0)
    watched = Probation(4, head, tiny_encoder(tmp_path / "e"), num_records, gains, losses)
    assert (watched.fault(MonitorConfig()) is not None) is goes


def test_equals_are_rarely_rolled_back_over_many_looks() -> None:
    # 2,000 probations of ten windows of 50 records, 10 % answered differently: rolled back at a
    # true difference of 0, -2, -5 and -10 points were 0.6 %, 3.7 %, 56 % and 100 %.
    assert _rolled_back(0.0) <= 0.02
    assert _rolled_back(-0.10) >= 0.97


def _rolled_back(difference: float, *, trials: int = 300) -> float:
    rng, config = np.random.default_rng(5), MonitorConfig()
    apart = max(0.1, abs(difference))
    shares = [(apart + difference) / 2, (apart - difference) / 2, 1 - apart]
    windows = rng.multinomial(50, shares, size=(trials, 10)).cumsum(axis=1)
    gone = [
        any(
            proves_loss(
                int(gains),
                int(losses),
                50 * (turn + 1),
                margin=config.max_loss,
                confidence=config.confidence,
            )
            for turn, (gains, losses, _) in enumerate(probation)
        )
        for probation in windows
    ]
    return float(np.mean(gone))
