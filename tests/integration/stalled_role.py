"""A role whose client stops reading partition 0 once it has read some of it, until it is cured.

    python -m tests.integration.stalled_role CURE ROLE...

CURE is the step of the watchdog that helps: `seek`, `renew`, or `exit`, which no role survives.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from faust.types import TP

from consumers.__main__ import main
from consumers.consumer_thread import ConsumerThread


class Stall:
    """Which client has stopped reading, and whether a seek came since."""

    def __init__(self, cure: str, partition: int | None) -> None:
        self._cure, self._partition = cure, partition
        self._client: Any = None
        self._sought = False

    def holds(self, client: Any) -> bool:
        if self._client is None:
            return False
        cured = {"seek": self._sought, "renew": client is not self._client, "exit": False}
        return not cured[self._cure]

    def concerns(self, place: TP) -> bool:
        return self._partition is None or place.partition == self._partition

    def saw(self, client: Any, records: Mapping[TP, Any]) -> None:
        if self._client is None and any(map(self.concerns, records)):
            self._client = client

    def sought(self) -> None:
        self._sought = self._client is not None


def install(cure: str, *, partition: int | None = 0) -> None:
    """Patch the client; without a partition it stops reading all of them."""
    stall = Stall(cure, partition)
    fetch, seek = ConsumerThread._fetch_records, ConsumerThread._seek_to_committed

    async def fetch_some(
        self: ConsumerThread, consumer: Any, active: set[TP], **more: Any
    ) -> Mapping[TP, Any]:
        if stall.holds(consumer):
            active = {place for place in active if not stall.concerns(place)}
        if not active:
            await asyncio.sleep(0.1)
            return {}
        records = await fetch(self, consumer, active, **more)
        stall.saw(consumer, records)
        return records

    async def seek_and_tell(self: ConsumerThread) -> Mapping[TP, int]:
        found = await seek(self)
        stall.sought()
        return found

    ConsumerThread._fetch_records = fetch_some  # type: ignore[assignment,method-assign]
    ConsumerThread._seek_to_committed = seek_and_tell  # type: ignore[method-assign]


if __name__ == "__main__":
    install(sys.argv.pop(1))
    main()
