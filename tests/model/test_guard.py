"""The guard of what serves asks for no encoder's features twice, and tells of each that it asks."""

from pathlib import Path

import pytest

from model.config import GateConfig
from model.guard import Guard
from tests.model.loop import Loop, stream

TOLD = ("encoding", {"records": 60})


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    """A task with a version, and one that it took over from."""
    loop = Loop(tmp_path, tiny_encoder_folder, gate=GateConfig(obey=False))
    for start in (0, 60):
        loop.learn(stream(60, start=start))
    return loop


def guarded(loop: Loop) -> tuple[Guard, list[tuple[str, dict[str, object]]]]:
    """The guard over the next 60 records, and what it told meanwhile."""
    told: list[tuple[str, dict[str, object]]] = []
    state, window = loop.state(), stream(60, start=120)
    guard = Guard.over(
        state,
        window,
        state.encoder.features([record.text for record in window]),
        [True] * 60,
        loop.config,
        progress=lambda stage, /, **fields: told.append((stage, fields)),
    )
    return guard, told


def test_nothing_is_told_where_the_predecessor_has_the_encoder_that_serves(loop: Loop) -> None:
    guard, told = guarded(loop)

    assert guard.probation is not None
    assert guard.probation.num_records == 60
    assert told == []


def test_an_encoder_that_two_predecessors_share_is_told_of_once(loop: Loop) -> None:
    loop.refresh(stream(120))

    guard, told = guarded(loop)

    assert guard.probation is not None
    assert guard.trial is not None
    assert guard.probation.version != guard.trial.version
    assert guard.probation.num_records == guard.trial.num_records == 60
    assert told == [TOLD]


def test_each_encoder_of_its_own_is_told_of(loop: Loop) -> None:
    loop.refresh(stream(120))
    loop.refresh(stream(120))

    guard, told = guarded(loop)

    assert guard.probation is not None
    assert guard.trial is not None
    assert guard.probation.encoder.digest != guard.trial.encoder.digest
    assert told == [TOLD, TOLD]
