"""Roles on a real broker and on the in-memory one: batches, commits, errors and the drain."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumers.app import FaustApp, create_app
from consumers.batches import PartitionBatch, Place
from consumers.broker.clients import METADATA_AGE_MILLISECONDS, kafka_python_options
from consumers.broker.memory import MemoryBroker
from consumers.dead_letters import dead_letter_of
from consumers.health.condition import Condition
from consumers.role import RoleKafka
from consumers.runner import run_role
from consumers.settings import Settings
from consumers.topics_admin import ensure_topics
from model.errors import FreshetError, RetryError, StopError
from schemas.topics import TEXTS, TEXTS_DEAD
from tests.consumers.raw import raw
from tests.groups import members


class Recorder:
    """Takes batches until `enough` values came, then drains as an operator would.

    Raises what stands in `faults`, one for each batch, before it takes any.
    """

    def __init__(
        self,
        enough: int,
        *,
        faults: list[FreshetError] | None = None,
        first: tuple[bytes, ...] = (),
    ) -> None:
        self.values: list[bytes] = []
        self.calls: list[str] = []
        self._enough, self._faults, self._first = enough, faults or [], first

    async def start(self, kafka: RoleKafka) -> None:
        self.calls.append("start")
        self.kafka = kafka
        for value in self._first:
            await kafka.publish(TEXTS, value, key=b"one key")
        if self._enough == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    async def assigned(self, partitions: frozenset[Place]) -> None:
        self.calls.append("assigned")

    async def revoked(self, partitions: frozenset[Place]) -> None:
        self.calls.append("revoked")

    async def batch(self, batch: PartitionBatch) -> None:
        if self._faults:
            raise self._faults.pop(0)
        self.values += [record.value for record in batch.records]
        assert await self.kafka.commit({batch.place: batch.records[-1].offset + 1})
        ends = await self.kafka.end_offsets([batch.place])
        assert ends[batch.place] >= len(self.values)
        if len(self.values) >= self._enough:
            os.kill(os.getpid(), signal.SIGTERM)

    def condition(self) -> Condition:
        return Condition()

    async def stop(self) -> None:
        self.calls.append("stop")


@contextmanager
def in_memory() -> Iterator[Settings]:
    with MemoryBroker() as broker:
        settings = Settings(
            bootstrap_servers=broker.bootstrap_servers,
            memory_broker=True,
            partitions=1,
            shutdown_seconds=30,
        )
        ensure_topics(settings)
        yield settings


def run(settings: Settings, handler: Recorder, *, from_latest: bool = False) -> int:
    return run_role(settings, role="test", topics=[TEXTS], handler=handler, from_latest=from_latest)


@pytest.mark.broker
def test_a_role_reads_in_order_and_goes_on_from_its_commit(settings: Settings) -> None:
    one = settings.model_copy(update={"partitions": 1})
    first = Recorder(2, first=(b"a", b"b"))
    assert run(one, first) == 0
    assert first.values == [b"a", b"b"]
    assert first.calls[:2] == ["start", "assigned"]
    assert first.calls[-1] == "stop"


@pytest.mark.broker
def test_a_retry_hands_the_same_batch_over_again_once(settings: Settings) -> None:
    handler = Recorder(1, first=(b"a",), faults=[RetryError("busy"), RetryError("busy")])
    assert run(settings, handler) == 0
    assert handler.values == [b"a"]


@pytest.mark.broker
def test_a_start_that_cannot_be_made_now_is_tried_again(settings: Settings) -> None:
    class Late(Recorder):
        async def start(self, kafka: RoleKafka) -> None:
            self.calls.append("try")
            if len(self.calls) == 1:
                raise RetryError("busy")
            await super().start(kafka)

    handler = Late(1, first=(b"a",))
    assert run(settings, handler) == 0
    assert handler.calls[:3] == ["try", "try", "start"]
    assert handler.values == [b"a"]


@pytest.mark.broker
def test_any_other_error_stops_the_role_with_a_nonzero_status(settings: Settings) -> None:
    handler = Recorder(1, first=(b"a",), faults=[StopError("broken")])
    assert run(settings, handler) == 1
    assert handler.values == []
    assert handler.calls[-1] == "stop"


@pytest.mark.broker
def test_a_new_group_from_latest_does_not_miss_what_comes_between_two_runs(
    settings: Settings,
) -> None:
    assert run(settings, Recorder(0, first=(b"old",)), from_latest=True) == 0

    class Leaves(Recorder):
        async def assigned(self, partitions: frozenset[Place]) -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(2.0, os.kill, os.getpid(), signal.SIGTERM)

    assert run(settings, Leaves(9), from_latest=True) == 0
    late = Recorder(0, first=(b"between",))
    assert run(settings, late, from_latest=True) == 0

    class Third(Recorder):
        async def batch(self, batch: PartitionBatch) -> None:
            self.values += [record.value for record in batch.records]
            os.kill(os.getpid(), signal.SIGTERM)

    third = Third(1)
    assert run(settings, third, from_latest=True) == 0
    assert third.values == [b"between"]


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_a_role_told_to_stop_while_it_joins_its_group_has_left_it(
    settings: Settings, seconds: float
) -> None:
    """A member that is gone would hold its partitions, and every join, until its session ends."""

    class Soon(Recorder):
        async def start(self, kafka: RoleKafka) -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, os.kill, os.getpid(), signal.SIGTERM)

    for _ in range(3):
        assert run(settings, Soon(9)) == 0
        assert members(settings, "test") == []


def test_a_crash_of_faust_ends_the_role_with_status_1() -> None:
    class Crashes(Recorder):
        def __init__(self) -> None:
            super().__init__(9)

        async def assigned(self, partitions: frozenset[Place]) -> None:
            await self.kafka._app.crash(OSError("the disk went away"))  # type: ignore[attr-defined]

    with in_memory() as settings, capture_logs() as logs:
        crashes = Crashes()
        assert run(settings, crashes) == 1
    assert crashes.calls[-1] == "stop"
    assert "the disk went away" in str(logs[-1]["error"])


def test_a_faust_that_does_not_start_ends_the_role_with_status_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start(_: object) -> None:
        msg = "no room"
        raise OSError(msg)

    monkeypatch.setattr(FaustApp, "start", start)
    with in_memory() as settings, capture_logs() as logs:
        assert run(settings, Recorder(9)) == 1
    assert "no room" in str(logs[-1]["error"])


def test_a_batch_whose_work_was_cancelled_does_not_count_as_taken() -> None:
    class Cancelled(Recorder):
        async def batch(self, batch: PartitionBatch) -> None:
            raise asyncio.CancelledError

    with in_memory() as settings:
        assert run(settings, Cancelled(9, first=(b"a",))) == 1


@pytest.mark.broker
def test_the_dead_letter_of_the_largest_record_is_published(settings: Settings) -> None:
    huge = raw(os.urandom(14_000_000), key=os.urandom(1_000_000))
    letter = dead_letter_of(huge, reason="invalid_json", detail="why", now=datetime.now(UTC))

    class Large(Recorder):
        async def start(self, kafka: RoleKafka) -> None:
            await kafka.publish(TEXTS_DEAD, letter.encode(), key=letter.key)
            self.values.append(b"published")
            os.kill(os.getpid(), signal.SIGTERM)

    large = Large(1)
    assert run(settings, large) == 0
    assert large.values == [b"published"]


def test_a_role_runs_on_the_broker_in_memory() -> None:
    with in_memory() as settings:
        handler = Recorder(2, first=(b"a", b"b"))
        assert run(settings, handler) == 0
    assert handler.values == [b"a", b"b"]


def test_the_windows_role_starts_without_torch(tmp_path: Path) -> None:
    program = "import sys, consumers.windows.agent; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_neither_roles_nor_commands_go_by_old_metadata_for_minutes(settings: Settings) -> None:
    conf = create_app(settings, role="serve").conf
    ages = {
        conf.consumer_metadata_max_age_ms,
        conf.producer_metadata_max_age_ms,
        kafka_python_options(settings)["metadata_max_age_ms"],
    }
    assert ages == {METADATA_AGE_MILLISECONDS}
    assert 1000 * Settings.model_fields["stall_seconds"].default > METADATA_AGE_MILLISECONDS
