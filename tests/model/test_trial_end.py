"""How the trial of a refreshed encoder ends: after how many records, and for whom."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.gate import taken_back_share
from model.config import MonitorConfig
from model.gain import Gain
from model.head import LinearHead
from model.trial import Trial, goes_on
from schemas.evaluation import Outcome
from tests.model.loop import Loop, stream
from tests.model.test_monitor import OBLIGING
from tests.model.test_trial import OWN, PATIENT, as_predecessor, as_successor, refreshed
from tests.model.tiny import tiny_encoder


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=OBLIGING, monitor=PATIENT)


@pytest.mark.parametrize(
    ("num_records", "gained", "lost", "goes"),
    [
        (500, 44, 58, True),
        (500, 1, 5, False),  # beyond chance, and not worth going back
        (500, 58, 44, False),
        (1000, 185, 203, False),  # two points, as chance gives
        (1000, 185, 206, True),
    ],
)
def test_what_counts_as_worse(
    num_records: int, gained: int, lost: int, goes: bool, tmp_path: Path
) -> None:
    head = LinearHead(np.zeros((3, 32), np.float32), np.zeros(3, np.float32), 1.0, "ridge", 1.0)
    encoder = tiny_encoder(tmp_path / "encoder")
    gain = Gain(num_records, num_records // 2, gained, lost)
    over = Trial(4, 5, encoder, head, head, OWN, num_records, gain)

    verdict = over.verdict(MonitorConfig(), before=0)

    assert verdict is not None
    assert (verdict.fault is not None) is goes
    assert verdict.fault is None or f"lost {lost} answers" in verdict.fault


@pytest.mark.parametrize(
    ("num_records", "gained", "lost", "before", "goes_on_then"),
    [
        (499, 10, 90, 400, True),
        (500, 10, 90, 400, False),
        (500, 90, 100, 400, True),  # a loss that chance may have made
        (500, 45, 55, 400, True),
        (500, 99, 100, 400, True),
        (500, 100, 100, 400, False),
        (500, 110, 100, 400, False),
        (750, 100, 120, 250, False),
        (750, 100, 120, 600, True),
        (750, 120, 100, 600, True),
        (750, 100, 128, 600, True),
        (750, 100, 131, 600, False),
        (999, 190, 200, 800, True),
        (1000, 190, 200, 800, False),
        (1000, 190, 200, 0, False),
    ],
)
def test_it_takes_twice_as_long_where_chance_may_have_made_the_loss(
    num_records: int, gained: int, lost: int, before: int, goes_on_then: bool
) -> None:
    gain = Gain(num_records, num_records // 2, gained, lost)
    assert goes_on(gain, num_records, MonitorConfig(), before=before) is goes_on_then


def test_a_loss_that_chance_may_have_made_is_told_by_the_windows_after(loop: Loop) -> None:
    records = stream(420)
    champion, entry = refreshed(loop, records)
    theirs, ours = as_predecessor(loop, records[180:300]), as_successor(loop, records[180:300])
    apart = [number for number in range(120) if theirs[number].label != ours[number].label]
    lost = set(apart[: len(apart) // 2 + 1])
    even = [theirs[number] if number in lost else ours[number] for number in range(120)]

    during = loop.learn(even)

    assert (during.kind, during.outcome) == ("increment", Outcome.PROMOTED)
    assert during.trial is not None
    assert during.plan == entry.plan
    gone = loop.learn(as_predecessor(loop, records[300:420]))
    assert gone.rollback is not None
    assert gone.rollback.restores == champion.sequence
    assert f"on the next 240 records the encoder of version {entry.sequence}" in gone.rollback.why


def test_how_often_a_trial_takes_back_what_is_as_good_better_or_worse() -> None:
    """`benchmarks/GATE.md` has the whole table."""

    def share(difference: float) -> float:
        return taken_back_share(500, difference, trials=2000, config=MonitorConfig())

    assert 0.15 <= share(0.0) <= 0.28
    assert share(0.02) <= 0.02
    assert share(-0.02) >= 0.8
    assert share(-0.05) >= 0.97
