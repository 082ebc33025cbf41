"""What a role asks of the broker (`RoleKafka`), through the Faust app's producer and consumer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from aiokafka.errors import KafkaError
from faust.types import TP

from consumers.app import FaustApp
from consumers.batches import Place
from consumers.publisher import BrokerUnavailableError, Outgoing, Publisher
from consumers.transport import Consumer
from schemas.topics import Topic


class FaustKafka:
    """A `RoleKafka`, whose docstrings hold here.

    Args:
        app: its consumer belongs to the group.
        publisher: started.
        held: the partitions that are held right now.
        fail: stops the role with an error.
    """

    def __init__(
        self,
        app: FaustApp,
        publisher: Publisher,
        *,
        held: Callable[[], frozenset[Place]],
        fail: Callable[[Exception], None],
    ) -> None:
        self._app, self._publisher, self._held = app, publisher, held
        self.fail = fail

    async def publish(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> tuple[int, int]:
        """Publish one."""
        return (await self.publish_all([Outgoing(topic, value, key, tuple(headers))]))[0]

    async def publish_all(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        """Publish many."""
        return await self._publisher.publish_all(records)

    async def commit(self, offsets: Mapping[Place, int]) -> bool:
        """Commit for the partitions that are held."""
        held = self._held()
        wanted = {TP(*place): offset for place, offset in offsets.items() if place in held}
        if not wanted:
            return not offsets
        try:
            done = await cast("Consumer", self._app.consumer)._commit(wanted)  # noqa: SLF001
        except KafkaError as error:
            msg = f"cannot commit {dict(offsets)}: {error!r}"
            raise BrokerUnavailableError(msg) from error
        return bool(done) and len(wanted) == len(offsets)

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        """Ask the leaders."""
        wanted = [TP(*place) for place in places]
        try:
            found = await self._app.consumer.highwaters(*wanted)
        except KafkaError as error:
            msg = f"cannot ask for the end of {wanted}: {error!r}"
            raise BrokerUnavailableError(msg) from error
        return {(place.topic, place.partition): int(end) for place, end in found.items()}
