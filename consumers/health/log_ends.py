"""Asks where partitions end, with a client of its own.

The consumer that is watched may be the one that hangs: then its own word about the end of the log
would be missing just when it counts.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.batches import Place
from consumers.broker.clients import METADATA_AGE_MILLISECONDS
from consumers.settings import Settings

ANSWER_WITHIN_SECONDS = 5.0


class LogEnds:
    """Where partitions end, as their leaders say."""

    def __init__(self, settings: Settings, *, role: str) -> None:
        self._settings, self._role = settings, role
        self._client: AIOKafkaConsumer | None = None

    async def ask(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """The offset behind the last record of each; empty where the broker does not answer."""
        wanted = [TopicPartition(*place) for place in places]
        if not wanted:
            return {}
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                found = await (await self._connected()).end_offsets(wanted)
        except (KafkaError, OSError, TimeoutError):
            return {}
        return {(place.topic, place.partition): int(end) for place, end in found.items()}

    async def close(self) -> None:
        """Leave the broker."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(asyncio.CancelledError, KafkaError):  # the broker may be gone
                await client.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            client = AIOKafkaConsumer(
                bootstrap_servers=self._settings.bootstrap_servers.split(","),
                client_id=f"{self._settings.prefix}freshet-{self._role}-health",
                group_id=None,
                metadata_max_age_ms=METADATA_AGE_MILLISECONDS,
            )
            try:
                await client.start()
            except BaseException:
                await client.stop()
                raise
            self._client = client
        return self._client
