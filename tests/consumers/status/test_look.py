"""What the store says is told task by task, whatever is wrong with one of them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.peek import BrokerSilentError
from consumers.settings import Settings
from consumers.status import look as looking
from consumers.status.facts import Task
from consumers.status.look import look, still_asked
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


@pytest.mark.parametrize(
    ("refreshed", "asked", "still"),
    [(None, None, False), (None, 1, True), (1, 2, True), (2, 1, False)],
)
def test_a_refresh_that_ended_since_settles_the_one_that_was_asked_for(
    refreshed: int | None, asked: int | None, still: bool
) -> None:
    def day(number: int | None) -> datetime | None:
        return None if number is None else datetime(2026, 1, number, tzinfo=UTC)

    found = still_asked(day(asked), Task(task=TASK, refreshed_on=day(refreshed)))

    assert found == (day(asked) if still else None)
