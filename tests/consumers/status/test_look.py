"""What the store says is told task by task, whatever is wrong with one of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.peek import BrokerSilentError
from consumers.settings import Settings
from consumers.status import look as looking
from consumers.status.look import look
from consumers.status.wrong import Limits
from model.artifacts import ArtifactStore
from tests.model.loop import TASK, Loop, stream
from tests.model.tiny import write_tiny_encoder


class NoPeek:
    def __init__(self, _: Settings) -> None:
        raise BrokerSilentError("nobody answers")


def test_a_damaged_lineage_hides_no_other_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(tmp_path, write_tiny_encoder(tmp_path / "encoder"))
    loop.learn(stream(60))
    store: ArtifactStore = loop.store
    store.put("tasks/0/lineage/00000000.json", b'{"sequence": "x"}')
    monkeypatch.setattr(looking, "Peek", NoPeek)

    now = datetime.now(UTC)
    status = look(Settings(store=store.uri), now=now, since=now, limits=Limits())

    assert {task.task: task.serves for task in status.tasks} == {"0": None, TASK: 0}
    damage, silent = status.faults
    assert (damage.what, damage.where) == ("lineage_damaged", "0")
    assert "00000000.json is not a lineage entry" in damage.detail
    assert silent.what == "broker_silent"


def test_a_refresh_is_asked_for_until_one_has_ended(tmp_path: Path) -> None:
    loop = Loop(tmp_path, write_tiny_encoder(tmp_path / "encoder"))
    loop.learn(stream(60))
    tip = loop.lineage.tip()
    assert tip is not None
    ended = tip.created_at
    after = tip.model_copy(update={"refreshed_on": ended})

    def still(tips: looking.Tips, asked: datetime) -> datetime | None:
        return looking._still_asked({TASK: asked}, TASK, tips)

    assert still({TASK: tip}, ended) == ended
    assert still({TASK: after}, ended) is None
    assert still({TASK: after}, ended + timedelta(seconds=1)) == ended + timedelta(seconds=1)
    assert still({TASK: None}, ended) is None, "its lineage cannot be read"
    assert still({}, ended) is None
