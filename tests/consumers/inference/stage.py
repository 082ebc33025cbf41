"""A role without a broker: what it publishes and commits is kept, and the test swaps versions."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

from consumers.batches import PartitionBatch, Place
from consumers.inference.agent import Serve
from consumers.inference.events import FollowerEvent, VersionSwapped
from consumers.publisher import BrokerUnavailableError, Outgoing
from consumers.settings import Settings
from model.artifacts import ArtifactStore
from model.predictor import Predictor
from model.predictor_loader import PredictorLoader
from schemas.dead_letter import DeadLetter
from schemas.labeled_text import TextToClassify
from schemas.prediction import Prediction
from schemas.topics import PREDICTIONS
from tests.model.tiny_onnx import store_version

AT = datetime(2026, 1, 1, tzinfo=UTC)
P0, P1 = ("texts", 0), ("texts", 1)


class FakeKafka:
    """Keeps what was published and committed, in order; fails the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.published: list[Outgoing] = []
        self.committed: list[tuple[Place, int, int]] = []
        self.failed: list[Exception] = []
        self._failures = failures
        self._progress = asyncio.Event()

    async def publish_all(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        self._failures -= 1
        if self._failures >= 0:
            raise BrokerUnavailableError("away")
        self.published += records
        return [(0, 0)] * len(records)

    async def commit(self, offsets: Mapping[Place, int]) -> bool:
        for place, offset in offsets.items():
            self.committed.append((place, offset, len(self.published)))
        self._progress.set()
        return True

    def fail(self, error: Exception) -> None:
        self.failed.append(error)
        self._progress.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._progress.clear()
            await asyncio.wait_for(self._progress.wait(), 10)

    async def until_answered(self, count: int) -> None:
        await self.until(lambda: len(self.published) >= count and bool(self.committed))

    def answers(self) -> list[Prediction | DeadLetter]:
        return [
            (Prediction if one.topic is PREDICTIONS else DeadLetter).decode(one.value or b"")
            for one in self.published
        ]

    def predictions(self) -> list[Prediction]:
        return [answer for answer in self.answers() if isinstance(answer, Prediction)]


class FakeVersions:
    """A follower without a thread: the test swaps."""

    def __init__(self) -> None:
        self.store = ArtifactStore("memory:///")
        self.loader = PredictorLoader(self.store, device="cpu", threads=1)
        self.serving: dict[str, Predictor] = {}
        self.beat_at = 0.0
        self.looked = asyncio.Event()
        """Set whenever a lane looks for the version of a text."""
        self.tell: Callable[[FollowerEvent], None] = lambda _: None

    def __call__(
        self, settings: Settings, /, *, on_event: Callable[[FollowerEvent], None]
    ) -> "FakeVersions":
        assert settings.device == "cpu"
        self.tell = on_event
        return self

    def start(self) -> None: ...

    def close(self) -> None: ...

    def numbers(self) -> dict[str, int]:
        return {task: predictor.version for task, predictor in self.serving.items()}

    def find(self, task: str) -> Predictor | None:
        self.looked.set()
        return self.serving.get(task)

    def swap(self, number: int, task: str = "colors") -> None:
        version = store_version(self.store, number, task=task, head_turn=number)
        self.serving[task] = self.loader.load(version)
        self.tell(VersionSwapped(task, number, None, 0.0, AT))


class Stage(NamedTuple):
    serve: Serve
    kafka: FakeKafka
    versions: FakeVersions


def play(
    scenario: Callable[[Stage], Awaitable[None]], *, failures: int = 0, **of: Any
) -> FakeKafka:
    """Run a scenario on a role that holds two partitions."""

    async def run() -> FakeKafka:
        settings = Settings(device="cpu", **{"wait_for_model_seconds": 60} | of)
        versions = FakeVersions()
        stage = Stage(Serve(settings, follow=versions), FakeKafka(failures), versions)
        await stage.serve.start(stage.kafka)  # type: ignore[arg-type]
        await stage.serve.assigned(frozenset({P0, P1}))
        await scenario(stage)
        await asyncio.wait_for(stage.serve.stop(), 5)
        return stage.kafka

    return asyncio.run(run())


def batch_of(place: Place, first: int, values: Sequence[bytes]) -> PartitionBatch:
    records: list[Any] = [
        SimpleNamespace(
            topic=place[0],
            partition=place[1],
            offset=first + index,
            timestamp=int(time.time() * 1000),
            timestamp_type=1,
            key=b"key-%d" % (first + index),
            value=value,
            headers=(),
        )
        for index, value in enumerate(values)
    ]
    return PartitionBatch(place[0], place[1], records)


def text_of(word: str, *, task: str = "colors", of: str | None = None) -> bytes:
    return TextToClassify(id=of, task=task, text=word).encode()
