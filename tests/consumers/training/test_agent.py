"""The training role's handler, with a worker and a broker that are not there."""

import asyncio
from typing import Any

import pytest

from consumers.settings import Settings
from consumers.training.agent import TrainingHandler
from model.errors import StopError


class Broker:
    """Notes what stops the role."""

    def __init__(self) -> None:
        self.failed: list[Exception] = []
        self.told = asyncio.Event()

    def fail(self, error: Exception) -> None:
        self.failed.append(error)
        self.told.set()


class Worker:
    """Ends with a fault when it is started."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.stopped = False

    async def start(self) -> None:
        raise self.fault

    async def stop(self) -> None:
        self.stopped = True


@pytest.mark.parametrize("fault", [StopError("no base model"), KeyError("a fault of ours")])
def test_whatever_ends_the_runner_stops_the_role_and_the_worker(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(fault)
    monkeypatch.setattr("consumers.training.agent.WorkerHandle", lambda *_: worker)

    async def run() -> list[Exception]:
        broker: Any = Broker()
        handler = TrainingHandler(Settings())
        await handler.start(broker)
        await asyncio.wait_for(broker.told.wait(), 10)
        await handler.stop()
        return list(broker.failed)

    assert asyncio.run(run()) == [fault]
    assert worker.stopped
