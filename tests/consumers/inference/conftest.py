"""An installation to serve on: on a real broker, or on the one in memory."""

import queue
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kafka import KafkaProducer

from consumers.broker import MemoryBroker, kafka_python_options
from consumers.inference.events import FollowerEvent, VersionSwapped
from consumers.settings import Settings
from model.artifacts import ArtifactStore
from schemas.model_version import ModelVersion
from schemas.topics import MODEL_VERSIONS
from tests.model import tiny_onnx

E = TypeVar("E", bound=FollowerEvent)


class Publisher:
    """Announces tiny versions as the training role would."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = ArtifactStore(settings.store)
        self._producer: Any = KafkaProducer(**kafka_python_options(settings), acks="all")

    def announce(self, number: int, **of: Any) -> ModelVersion:
        version = tiny_onnx.store_version(self.store, number, **of)
        self.send(version.task, version.encode())
        return version

    def send(self, task: str, value: bytes | None) -> None:
        topic = self.settings.topic(MODEL_VERSIONS.name)
        self._producer.send(topic, value, key=task.encode()).get(timeout=20)

    def close(self) -> None:
        self._producer.close(timeout=5)


class Events:
    """Collects a follower's events; `wait` blocks until one is there."""

    def __init__(self) -> None:
        self.seen: queue.Queue[FollowerEvent] = queue.Queue()

    def __call__(self, event: FollowerEvent) -> None:
        self.seen.put(event)

    def wait(self, kind: type[E]) -> E:
        while True:
            event = self.seen.get(timeout=20)
            if isinstance(event, kind):
                return event

    def wait_for_version(self, number: int) -> VersionSwapped:
        while (event := self.wait(VersionSwapped)).version != number:
            pass
        return event


@pytest.fixture
def memory_settings(tmp_path: Path) -> Iterator[Settings]:
    with MemoryBroker() as broker:
        yield Settings(
            bootstrap_servers=broker.bootstrap_servers,
            memory_broker=True,
            prefix=f"m{uuid.uuid4().hex[:6]}-",
            store=str(tmp_path / "store"),
            cache=tmp_path / "cache",
            threads=1,
            device="cpu",
        )


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.broker)])
def installation(request: pytest.FixtureRequest) -> Settings:
    name = "settings" if request.param == "kafka" else "memory_settings"
    made: Settings = request.getfixturevalue(name)
    return made


@pytest.fixture
def publisher_of() -> Iterator[Callable[[Settings], Publisher]]:
    made: list[Publisher] = []

    def make(settings: Settings) -> Publisher:
        made.append(Publisher(settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def publisher(installation: Settings, publisher_of: Callable[[Settings], Publisher]) -> Publisher:
    return publisher_of(installation)
