"""`freshet models rollback`: with which settings it works, and what it leaves to announce."""

from pathlib import Path

import pytest

from consumers.rollback import roll_back
from consumers.settings import load_settings
from model.config import GateConfig
from tests.model.loop import TASK, Loop, stream
from tests.model.tiny import write_tiny_encoder


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Two rounds of one task, and no broker."""
    made = Loop(tmp_path, tiny_encoder_folder, gate=GateConfig(obey=False))
    made.learn(stream(60))
    made.learn(stream(60, start=60))
    monkeypatch.setattr("consumers.announcer._connected", lambda _: (None, "nobody answers"))
    monkeypatch.setenv("FRESHET_CACHE", str(made.templates))
    monkeypatch.setenv("FRESHET_DEVICE", "cpu")
    monkeypatch.setenv("FRESHET_THREADS", "1")
    return made


@pytest.fixture(scope="module")
def tiny_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "base")


def back(loop: Loop) -> None:
    settings = load_settings(store=loop.store.uri)
    roll_back(settings, TASK, None, who="me", why="a test", progress=lambda *_, **__: None)


def test_without_a_tasks_file_it_works_with_the_settings_of_the_last_round(loop: Loop) -> None:
    back(loop)

    tip = loop.lineage.tip()
    assert tip is not None
    assert tip.kind == "rollback"
    assert tip.config == loop.config


def test_the_round_behind_a_rollback_may_not_be_announced_yet(loop: Loop) -> None:
    back(loop)

    unannounced = loop.new_learner().unannounced(TASK)

    assert [entry.sequence for entry in unannounced] == [1, 2]
