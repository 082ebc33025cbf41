"""A role whose client stops reading, on a real broker: healed by the first step that helps."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from consumers.batches import PartitionBatch, Place
from consumers.consumer_thread import ConsumerThread
from consumers.health.condition import Condition
from consumers.role import RoleKafka
from consumers.runner import run_role
from consumers.settings import Settings
from schemas.topics import TEXTS
from tests.integration.stalled_role import install

RECORDS = 40
UNCOMMITTED = 5
"""As a role with an open window: it has taken more than it commits."""


class Windows:
    """Takes records, commits behind what it has taken, and ends when it has taken all."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.begun: list[list[int]] = []

    async def start(self, kafka: RoleKafka) -> None:
        self.kafka = kafka
        if not self.begun:
            await self._write(range(RECORDS // 2))

    async def assigned(self, partitions: frozenset[Place]) -> None:
        self.begun.append(self.taken)
        self.taken = []

    async def revoked(self, partitions: frozenset[Place]) -> None: ...

    async def batch(self, batch: PartitionBatch) -> None:
        first = not any(self.begun) and not self.taken
        self.taken += [int(record.value) for record in batch.records]
        await self.kafka.commit({batch.place: max(0, batch.records[-1].offset + 1 - UNCOMMITTED)})
        if first:
            await self._write(range(RECORDS // 2, RECORDS))
        if self.taken[-1] == RECORDS - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self) -> None: ...

    def condition(self) -> Condition:
        return Condition()

    async def _write(self, numbers: range) -> None:
        for number in numbers:
            await self.kafka.publish(TEXTS, str(number).encode(), key=b"one key")


@contextmanager
def stall(monkeypatch: pytest.MonkeyPatch, cure: str) -> Iterator[None]:
    with monkeypatch.context() as patched:
        for name in ("_fetch_records", "_seek_to_committed"):
            patched.setattr(ConsumerThread, name, getattr(ConsumerThread, name))
        install(cure, partition=None)
        yield


@pytest.mark.broker
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("cure", "steps", "status"),
    [
        ("seek", ["seek"], 0),
        ("renew", ["seek", "renew"], 0),
        ("exit", ["seek", "renew", "exit"], 1),
    ],
)
def test_each_step_is_tried_until_one_helps_and_no_record_is_missed_or_taken_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, cure: str, steps: list[str], status: int
) -> None:
    role, impatient = (
        Windows(),
        settings.model_copy(update={"stall_seconds": 8.0, "shutdown_seconds": 60.0}),
    )
    with stall(monkeypatch, cure), capture_logs() as logs:
        ended = run_role(impatient, role="test", topics=[TEXTS], handler=role)
    assert ended == status, "\n".join(map(str, logs[-8:]))
    assert [log["step"] for log in logs if log["event"] == "stall_noticed"] == steps
    if cure == "exit":
        role.taken = []  # the next process goes on from what was committed
        assert run_role(impatient, role="test", topics=[TEXTS], handler=role) == 0
    # Whoever starts over meets what was not committed again, all of it and nothing else.
    assert role.taken == list(range(role.taken[0], RECORDS))
    before = max(turn[-1] for turn in role.begun if turn)
    assert role.taken[0] == before + 1 - UNCOMMITTED
