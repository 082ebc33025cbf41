"""Runs the training role's handler through a scene."""

import asyncio
from typing import Any

import pytest

from consumers.control import GivenCommand
from consumers.settings import Settings
from consumers.training import agent, rounds
from consumers.training import worker as worker_module
from consumers.training.agent import TrainingHandler
from tests.consumers.training.scene import Broker, Control, Play, Scene, Worker


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Runs a handler with this worker through a scene, within bounds."""
    monkeypatch.setattr(rounds, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(worker_module, "FIRST_PAUSE_SECONDS", 0.0)

    def run(worker: Worker, scene: Scene, *given: GivenCommand) -> Broker:
        async def played() -> Broker:
            monkeypatch.setattr(agent, "WorkerHandle", lambda *_: worker)
            monkeypatch.setattr(agent, "ControlReader", lambda *_, **__: Control(*given))
            handler, broker = TrainingHandler(Settings(max_failed_windows=2)), Broker()
            kafka: Any = broker
            await handler.start(kafka)
            try:
                await asyncio.wait_for(scene(handler, broker), 10)
            finally:
                await handler.stop()
            return broker

        return asyncio.run(played())

    return run
