"""`freshet models rollback`: with which settings it works, and what it leaves to announce."""

from pathlib import Path
from typing import NoReturn

import pytest

from consumers.rollback import roll_back
from consumers.settings import Settings, load_settings
from model.config import ReplayMemoryConfig
from model.lineage_entry import LineageEntry
from model.rollback import RollbackRefusedError
from tests.consumers.two_rounds import two_rounds
from tests.model.loop import TASK, Loop, stream
from tests.model.tiny import write_tiny_encoder


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    return two_rounds(tmp_path, tiny_encoder_folder, monkeypatch)


@pytest.fixture(scope="module")
def tiny_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "base")


def back(loop: Loop, version: int | None = None, *, without_log: bool = False) -> LineageEntry:
    entry, _fault = roll_back(
        load_settings(store=loop.store.uri),
        TASK,
        version,
        who="me",
        why="a test",
        progress=lambda *_, **__: None,
        without_log=without_log,
    )
    return entry


def test_without_a_tasks_file_it_works_with_the_settings_of_the_last_round(loop: Loop) -> None:
    back(loop)

    tip = loop.lineage.tip()
    assert tip is not None
    assert tip.kind == "rollback"
    assert tip.config == loop.config


def test_records_that_only_the_log_holds_are_given_up_on_demand_alone(loop: Loop) -> None:
    smallest = ReplayMemoryConfig(records=1)
    loop.config = loop.config.model_copy(update={"replay_memory": smallest})
    loop.learner = loop.new_learner()
    loop.refresh(stream(120))
    loop.learn(stream(60, start=120))
    held = loop.lineage.tip()

    with pytest.raises(RollbackRefusedError, match="log alone, which is not at hand"):
        back(loop, 1)
    assert loop.lineage.tip() == held
    assert "are given up" in back(loop, 1, without_log=True).evaluation.reason


def test_a_version_that_is_not_there_is_refused_before_the_broker_is_asked(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(_settings: Settings) -> NoReturn:
        pytest.fail("the broker was asked")

    monkeypatch.setattr("consumers.announcer._connected", asked)
    with pytest.raises(RollbackRefusedError, match="has no version 7"):
        back(loop, 7)


def test_the_round_behind_a_rollback_may_not_be_announced_yet(loop: Loop) -> None:
    back(loop)

    unannounced = loop.new_learner().unannounced(TASK)

    assert [entry.sequence for entry in unannounced] == [1, 2]
