"""Where partitions end, by a client of its own."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest

from consumers.batches import Place
from consumers.broker.memory import MemoryBroker
from consumers.health import log_ends
from consumers.health.log_ends import LogEnds
from consumers.settings import Settings
from consumers.topics_admin import ensure_topics
from schemas.topics import TEXTS


def ask(settings: Settings, places: Iterable[Place]) -> Mapping[Place, int]:
    async def asked() -> Mapping[Place, int]:
        ends = LogEnds(settings, role="serve")
        try:
            return await ends.ask(places)
        finally:
            await ends.close()

    return asyncio.run(asked())


@pytest.mark.broker
def test_a_broker_says_where_partitions_end(settings: Settings) -> None:
    name = settings.topic(TEXTS.name)
    assert ask(settings, [(name, 0), (name, 1)]) == {(name, 0): 0, (name, 1): 0}


def test_the_broker_in_memory_says_so_too() -> None:
    with MemoryBroker() as broker:
        settings = Settings(
            bootstrap_servers=broker.bootstrap_servers, memory_broker=True, partitions=1
        )
        ensure_topics(settings)
        assert ask(settings, [(TEXTS.name, 0)]) == {(TEXTS.name, 0): 0}


def test_a_broker_that_is_away_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_ends, "ANSWER_WITHIN_SECONDS", 0.5)
    assert ask(Settings(bootstrap_servers="127.0.0.1:1"), [("texts", 0)]) == {}


def test_nobody_is_asked_about_nothing() -> None:
    assert ask(Settings(bootstrap_servers="127.0.0.1:1"), []) == {}
