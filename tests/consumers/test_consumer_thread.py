"""Where a partition without a committed offset begins, and that no thread is left behind."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupLoadInProgressError
from mode.threads import WorkerThread

from consumers.app import create_app
from consumers.consumer_thread import ConsumerThread
from consumers.settings import Settings

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


class Late(WorkerThread):
    """Begins when it may, within the time of the test."""

    def __init__(self, service: Any) -> None:
        super().__init__(service)
        self.may_begin = threading.Event()

    def run(self) -> None:
        self.may_begin.wait(10)
        super().run()


class Ended(WorkerThread):
    """Ends before its loop has turned."""

    def run(self) -> None:
        self._set_stopped()


Service = Callable[[type[WorkerThread]], Any]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Makes, on a loop, the service of a consumer's thread that has no broker."""

    class NoClient:
        async def start(self) -> None: ...

        async def stop(self) -> None: ...

    monkeypatch.setattr(ConsumerThread, "_create_consumer", lambda *_, **__: NoClient())
    monkeypatch.setattr("consumers.consumer_thread.heed_group_errors", lambda _: None)

    def made(worker: type[WorkerThread]) -> Any:
        consumer: Any = create_app(Settings(), role="windows").consumer
        consumer._thread.Worker = worker
        return consumer._thread

    return made


async def cut_short(thread: Any) -> None:
    """Cancel the start of a service once its thread is made."""
    starting = asyncio.create_task(thread.start())
    await asyncio.sleep(0)
    starting.cancel()


def test_a_thread_that_is_stopped_before_it_has_begun_does_not_run_on(service: Service) -> None:
    async def scene() -> None:
        thread = service(Late)
        await cut_short(thread)
        stopping = asyncio.create_task(thread.stop())
        await asyncio.sleep(0)
        thread._thread.may_begin.set()
        async with asyncio.timeout(10):
            await stopping
        assert not thread._thread.is_alive()
        async with asyncio.timeout(10):
            await thread.stop()

    asyncio.run(scene())


def test_a_thread_that_has_ended_before_it_began_is_stopped(service: Service) -> None:
    async def scene() -> None:
        thread = service(Ended)
        await cut_short(thread)
        async with asyncio.timeout(10):
            await thread.stop()

    asyncio.run(scene())


def test_a_broker_that_does_not_answer_does_not_keep_the_thread(service: Service) -> None:
    async def scene() -> None:
        thread = service(WorkerThread)
        thread.app.settings = Settings(shutdown_seconds=0.4)
        await thread.start()
        thread._consumer.stop = asyncio.Event().wait
        async with asyncio.timeout(10):
            await thread.stop()
        assert not thread._thread.is_alive()

    asyncio.run(scene())
