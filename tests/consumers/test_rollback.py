"""`freshet models rollback`: with which settings it works, and what it leaves to announce."""

from pathlib import Path

import pytest

from consumers.rollback import roll_back
from consumers.settings import load_settings
from tests.consumers.two_rounds import two_rounds
from tests.model.loop import TASK, Loop
from tests.model.tiny import write_tiny_encoder


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    return two_rounds(tmp_path, tiny_encoder_folder, monkeypatch)


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
