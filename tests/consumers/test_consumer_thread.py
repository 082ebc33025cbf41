"""Where a partition without a committed offset begins."""

import asyncio
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupLoadInProgressError

from consumers.consumer_thread import ConsumerThread

PLACE = TopicPartition("texts", 0)
END = 40


class Client:
    """Holds one partition of `END` records, and what was committed of it."""

    def __init__(self) -> None:
        self.at = -1
        self.committed: list[int] = []

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.at = offset

    async def seek_to_beginning(self, _: TopicPartition) -> None:
        self.at = 0

    async def seek_to_end(self, _: TopicPartition) -> None:
        self.at = END

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def commit(self, offsets: dict[TopicPartition, Any]) -> None:
        self.committed.append(offsets[PLACE].offset)


def test_errors_of_whole_answers_are_heeded_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(_: Any) -> Any:
        return SimpleNamespace(topics=[], error_code=14)  # the coordinator loads

    async def started(thread: Any) -> None:
        thread._consumer = SimpleNamespace(_coordinator=SimpleNamespace(_send_req=send))

    monkeypatch.setattr("consumers.consumer_thread.driver.AIOKafkaConsumerThread.on_start", started)
    thread = thread_of(Client(), "latest")
    asyncio.run(thread.on_start())

    with pytest.raises(GroupLoadInProgressError):
        asyncio.run(thread._consumer._coordinator._send_req("offsets"))


def thread_of(client: Client, start_at: Literal["earliest", "latest"]) -> Any:
    """A thread that was never started, with this client."""
    thread: Any = object.__new__(ConsumerThread)
    thread.app = SimpleNamespace(start_at=start_at)
    thread._consumer = client
    thread._reached = {}
    return thread


@pytest.mark.parametrize(("start_at", "begins"), [("earliest", 0), ("latest", END)])
def test_a_new_group_begins_where_its_role_says_and_commits_that(
    start_at: Literal["earliest", "latest"], begins: int
) -> None:
    client = Client()

    asyncio.run(thread_of(client, start_at)._start_at(client, PLACE))

    assert (client.at, client.committed) == (begins, [begins])


@pytest.mark.parametrize("start_at", ["earliest", "latest"])
def test_where_the_broker_has_lost_what_was_committed_the_role_goes_on_from_there(
    start_at: Literal["earliest", "latest"],
) -> None:
    client = Client()
    thread = thread_of(client, start_at)

    async def run() -> None:
        assert await thread._commit({PLACE: 12})
        await thread._start_at(client, PLACE)

    asyncio.run(run())

    assert (client.at, client.committed) == (12, [12, 12])
