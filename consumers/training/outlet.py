"""What the training role must get through to the broker: each is tried until it is confirmed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from consumers.announcement import announcement
from consumers.batches import Place
from consumers.dead_letters import dead_letter_of
from consumers.role import RoleKafka
from consumers.telemetry import Log
from model.errors import RetryError
from model.lineage_entry import LineageEntry
from schemas.topics import TRAINING_WINDOWS_DEAD

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0


class Outlet:
    """Publishes and commits, and gives up never."""

    def __init__(self, kafka: RoleKafka, log: Log) -> None:
        self._kafka, self._log = kafka, log
        self.beat_at = time.monotonic()
        """When it last tried something."""

    async def announce(self, entry: LineageEntry) -> None:
        """Publish the events of an entry."""
        events = announcement(entry, source=f"/freshet/train/{entry.task}")
        await self._kept_up("publish", lambda: self._kafka.publish_all(events))
        self._log.info(
            "round_committed",
            task=entry.task,
            sequence=entry.sequence,
            kind=entry.kind,
            outcome=entry.outcome.value,
            reason=entry.evaluation.reason,
            **{f"{stage}_seconds": round(s, 3) for stage, s in entry.evaluation.seconds.items()},
        )

    async def dead(self, record: ConsumerRecord, reason: str, detail: str) -> None:
        """Publish what was refused as a dead letter."""
        letter = dead_letter_of(record, reason=reason, detail=detail, now=datetime.now(UTC))
        await self._kept_up(
            "publish",
            lambda: self._kafka.publish(
                TRAINING_WINDOWS_DEAD,
                letter.encode(),
                key=letter.key,
                headers=letter.headers("/freshet/train"),
            ),
        )

    async def commit(self, ends: Mapping[Place, int]) -> None:
        """Commit the next offset to read of each partition."""
        await self._kept_up("commit", lambda: self._kafka.commit(ends))

    async def _kept_up(self, what: str, attempt: Callable[[], Awaitable[object]]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            self.beat_at = time.monotonic()
            try:
                await attempt()
            except RetryError as error:
                self._log.warning("broker_retried", what=what, reason=str(error), pause=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                return
