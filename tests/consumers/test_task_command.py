"""Commands about a task, and what is said of one that nobody knows."""

from pathlib import Path
from typing import Any, Self

import pytest

from consumers import task_command
from consumers.settings import Settings
from consumers.task_command import give_command
from model.artifacts import ArtifactStore
from schemas.control import Action


class Producer:
    """Notes what is sent."""

    sent: list[tuple[Action, str, str]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send_command(self, action: Action, task: str, *, why: str) -> None:
        self.sent.append((action, task, why))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Action, str, str]]:
    producer = Producer()
    producer.sent = []
    made: Any = lambda *_, **__: producer  # noqa: E731
    monkeypatch.setattr(task_command, "TextProducer", made)
    return producer.sent


def test_a_task_without_a_lineage_is_noted_and_the_command_stands(
    tmp_path: Path, sent: list[tuple[Action, str, str]]
) -> None:
    settings = Settings(store=str(tmp_path))
    ArtifactStore(str(tmp_path)).put("tasks/news/lineage/00000000.json", b"{}")

    assert give_command(settings, Action.PAUSE, "news", who="ops", why="a test") is None
    note = give_command(settings, Action.PAUSE, "nwes", who="ops", why="a test")

    assert note is not None
    assert "'nwes'" in note
    assert "it has: news" in note
    assert [task for _action, task, _why in sent] == ["news", "nwes"]


def test_where_the_store_cannot_be_asked_nothing_is_noted(
    tmp_path: Path, sent: list[tuple[Action, str, str]]
) -> None:
    away = tmp_path / "away"
    assert give_command(Settings(store=str(away)), Action.PAUSE, "news", who="o", why="w") is None
    assert not away.exists()
    assert len(sent) == 1
