"""What the supervisor sees, tells and does, with a consumer that is not there."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.batches import PartitionBatch, Place
from consumers.health.condition import Condition
from consumers.health.supervisor import StalledError, Supervisor
from consumers.health.watchdog import Watchdog
from consumers.telemetry import get_log
from model.errors import RetryError

PLACE: Place = ("texts", 0)


@dataclass
class Consumer:
    """Stands still at 5 until `cure` was called, which is one of its own methods."""

    cure: str = ""
    fault: Exception | None = None
    position: int = 5
    calls: list[str] = field(default_factory=list)

    def reached(self, _: Place) -> int:
        if self.cure in self.calls:
            self.position += 1
        return self.position

    async def start_over(self) -> bool:
        self.calls.append("start_over")
        if self.fault is not None:
            raise self.fault
        return True

    async def renew(self) -> None:
        self.calls.append("renew")
        if self.fault is not None:
            raise self.fault


@dataclass
class Handover:
    """Holds one partition."""

    held: frozenset[Place] = frozenset({PLACE})
    in_hand: PartitionBatch | None = None
    tried_at: float = 0.0
    handed: int = 0


class Ends:
    """The log goes on, always; or nobody says. Each look of the supervisor asks."""

    def __init__(self, *, known: bool = True) -> None:
        self.known, self.closed = known, False
        self.asked = asyncio.Event()

    async def ask(self, places: frozenset[Place]) -> Mapping[Place, int]:
        self.asked.set()
        return dict.fromkeys(places, 1000000) if self.known else {}

    async def close(self) -> None:
        self.closed = True


@dataclass
class Scene:
    consumer: Consumer
    supervisor: Supervisor
    failed: list[Exception]
    logs: list[Any]
    ends: Ends


def play(
    consumer: Consumer,
    *,
    until: Callable[[Scene], bool],
    ends: Ends | None = None,
    handover: Handover | None = None,
    condition: Condition | None = None,
    work_seconds: float = 3600,
) -> Scene:
    failed: list[Exception] = []
    shown: Any = ends or Ends()
    supervisor = Supervisor(
        role="serve",
        consumer=lambda: consumer,
        handover=handover or Handover(),
        condition=lambda: condition or Condition(),
        ends=shown,
        watchdog=Watchdog(0.04, work_seconds),
        log=get_log(role="serve"),
        fail=failed.append,
    )
    supervisor.look_seconds = 0.01

    async def played() -> None:
        running = asyncio.create_task(supervisor.run())
        async with asyncio.timeout(20):
            while not until(scene):
                shown.asked.clear()
                await shown.asked.wait()
        running.cancel()
        await asyncio.wait({running})

    with capture_logs() as logs:
        scene = Scene(consumer, supervisor, failed, logs, shown)
        asyncio.run(played())
    return scene


def events(scene: Scene, name: str) -> list[Any]:
    return [line for line in scene.logs if line["event"] == name]


@pytest.mark.parametrize(("cure", "calls"), [("start_over", 1), ("renew", 2)])
def test_a_stall_is_reported_counted_and_healed_by_the_first_step_that_helps(
    cure: str, calls: int
) -> None:
    scene = play(Consumer(cure), until=lambda scene: bool(events(scene, "stall_healed")))
    assert scene.consumer.calls == ["start_over", "renew"][:calls]
    assert not scene.failed
    noticed = events(scene, "stall_noticed")
    assert [line["step"] for line in noticed] == ["seek", "renew"][:calls]
    assert noticed[0]["partitions"] == ["texts/0"]
    assert noticed[0]["lags"] == [999_995]
    assert noticed[0]["seconds"][0] >= 0.0
    assert scene.supervisor.snapshot.stalls == dict.fromkeys(["seek", "renew"][:calls], 1)
    assert scene.ends.closed


def test_a_stall_that_nothing_heals_ends_the_role() -> None:
    scene = play(Consumer(), until=lambda scene: bool(scene.failed))
    assert scene.consumer.calls == ["start_over", "renew"]
    assert isinstance(scene.failed[0], StalledError)
    assert "texts/0" in str(scene.failed[0])


def test_a_seek_that_fails_is_followed_by_a_new_consumer_and_that_failing_by_the_end() -> None:
    consumer = Consumer(fault=RetryError("nothing was committed"))
    scene = play(consumer, until=lambda scene: bool(scene.failed))
    assert consumer.calls == ["start_over", "renew"]
    assert len(events(scene, "heal_failed")) == 2
    assert "no new consumer" in str(scene.failed[0])


def test_the_probes_are_told_what_was_seen() -> None:
    scene = play(
        Consumer("start_over"),
        condition=Condition(tasks={"news": {"version": 1}}),
        until=lambda scene: bool(scene.supervisor.snapshot.partitions),
    )
    snapshot = scene.supervisor.snapshot
    assert snapshot.partitions[PLACE].lag is not None
    assert snapshot.condition.tasks == {"news": {"version": 1}}
    assert snapshot.work is None


def test_work_in_hand_is_seen_by_its_own_beat_or_that_of_the_handover() -> None:
    batch = PartitionBatch(*PLACE, [])
    for handover, condition, what, beat_at in (
        (Handover(), Condition("a fit", 7.0), "a fit", 7.0),
        (Handover(in_hand=batch, tried_at=9.0), Condition("a fit", 7.0), "a fit", 9.0),
        (Handover(in_hand=batch, tried_at=9.0), Condition("a fit", 11.0), "a fit", 11.0),
        (Handover(in_hand=batch, tried_at=9.0), Condition(), "a batch of texts/0", 9.0),
    ):
        scene = play(
            Consumer("start_over"),
            handover=handover,
            condition=condition,
            until=lambda scene: scene.supervisor.snapshot.work is not None,
        )
        work = scene.supervisor.snapshot.work
        assert work is not None
        assert (work.what, work.beat_at) == (what, beat_at)


def test_a_broker_that_does_not_answer_is_no_stall() -> None:
    def looked_often(scene: Scene) -> bool:
        return scene.supervisor.snapshot.verdict.still.get(PLACE, 0.0) > 0.4

    scene = play(Consumer(), ends=Ends(known=False), until=looked_often)
    assert not scene.consumer.calls
