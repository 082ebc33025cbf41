"""Commands on `control`, obeyed by a handler whose broker does not always answer."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.batches import PartitionBatch, Place
from consumers.control import GivenCommand
from consumers.publisher import BrokerUnavailableError
from consumers.settings import Settings
from consumers.windows.agent import WindowsHandler
from schemas.control import Action, Command
from schemas.topics import TRAINING_WINDOWS
from tests.consumers.raw import labeled, raw

PLACE = ("labeled-texts", 0)

COMMAND = Command(
    command_id="c-1",
    action=Action.CLOSE,
    task="mood",
    who="tests",
    why="end of stream",
    given_at=datetime.now(UTC),
)


class Broker:
    """Holds one record, and tells so only the second time that it is asked."""

    def __init__(self) -> None:
        self.faults = [BrokerUnavailableError("no answer")]
        self.published: list[str] = []

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        if self.faults:
            raise self.faults.pop()
        return dict.fromkeys(places, 1)

    async def publish_all(self, records: Any) -> None:
        self.published += [record.topic for record in records]

    async def commit(self, _: Any) -> bool:
        return True


def test_a_command_falls_due_although_the_broker_did_not_answer_at_first() -> None:
    async def run() -> list[Any]:
        handler, broker = WindowsHandler(Settings(), clock=lambda: datetime.now(UTC)), Broker()
        handler._kafka = broker  # type: ignore[assignment]
        await handler.assigned(frozenset([PLACE]))
        await handler.batch(PartitionBatch(*PLACE, [raw(labeled(), offset=0, timestamp=1)]))
        command = GivenCommand(COMMAND, given=2)
        with pytest.raises(BrokerUnavailableError):
            await handler._obey(command)
        assert broker.published == []
        await handler._obey(command)
        assert handler._commands == {"mood": [2]}
        return broker.published

    assert asyncio.run(run()) == [TRAINING_WINDOWS]
