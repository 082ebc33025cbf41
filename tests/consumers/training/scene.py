"""A worker, a broker and a control topic that are not there, for the handler to play with."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from consumers.batches import PartitionBatch
from consumers.control import GivenCommand
from consumers.health.condition import Condition
from consumers.training.agent import TrainingHandler
from consumers.training.messages import (
    Committed,
    Failed,
    Learn,
)
from tests.consumers.raw import raw
from tests.consumers.training.test_backlog import TOPIC, waiting

PLACE = (TOPIC, 0)
DONE = Committed(entry=None, refresh_due=None)
NO_FIT = Failed(fate="reject", error="NotFiniteError", message="the loss is not finite")


class Broker:
    """Notes what is committed, and what stops the role."""

    def __init__(self) -> None:
        self.failed: list[Exception] = []
        self.committed: list[dict[tuple[str, int], int]] = []
        self.letters = 0
        self.told, self.wrote = asyncio.Event(), asyncio.Event()

    def fail(self, error: Exception) -> None:
        self.failed.append(error)
        self.told.set()

    async def publish(self, *_: Any, **__: Any) -> None:
        self.letters += 1

    async def commit(self, offsets: dict[tuple[str, int], int]) -> bool:
        self.committed.append(offsets)
        self.wrote.set()
        return True


class Worker:
    """Starts as it is told, and answers each request by `replies`, else with success."""

    def __init__(self, *starts: Exception, replies: dict[type, Any] | None = None) -> None:
        self.starts = list(starts)
        self.replies = replies or {}
        self.asked: list[Any] = []
        self.stopped = self.dead = False
        self.starts_made = 0
        self.heard, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.until: type = Learn

    async def start(self) -> None:
        if self.starts:
            raise self.starts.pop(0)
        if self.starts_made == 0 or self.dead:
            self.starts_made, self.dead = self.starts_made + 1, False

    async def ask(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(request, self.until):
            self.heard.set()
            await self.go_on.wait()
        reply = self.replies.get(type(request), DONE)
        return reply.pop(0) if isinstance(reply, list) else reply

    @property
    def up(self) -> bool:
        return not self.dead

    def condition(self) -> Condition:
        return Condition()

    async def stop(self) -> None:
        self.stopped = True


class Control:
    """The commands that were given while the role was down; more are given by `_obey`."""

    def __init__(self, *given: GivenCommand) -> None:
        self._given = list(given)

    async def known(self) -> list[GivenCommand]:
        return self._given

    def follow(self, _: Any) -> "asyncio.Task[None]":
        return asyncio.create_task(asyncio.sleep(0))

    async def stop(self) -> None:
        pass


Scene = Callable[[TrainingHandler, Any], Awaitable[None]]
Play = Callable[..., Broker]


def batch(*offsets: int, task: str = "prices") -> PartitionBatch:
    values = ((offset, waiting(offset, task=task).window.encode()) for offset in offsets)
    return PartitionBatch(*PLACE, [raw(value, topic=TOPIC, offset=n) for n, value in values])
