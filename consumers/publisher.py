"""Publishes through the Faust app's producer and waits until every replica has the records."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self

from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    UnknownProducerId,
)
from faust.exceptions import ProducerSendError

from model.errors import RejectError, RetryError, StopError
from schemas.topics import Topic

NUMBERS_REFUSED = (InvalidProducerEpoch, OutOfOrderSequenceNumber, UnknownProducerId)
"""The broker takes no more records of this client, whoever tries again."""


class BrokerUnavailableError(RetryError):
    """The broker does not answer or refuses for now."""


class RecordTooLargeError(RejectError):
    """A record is larger than the producer or the topic takes."""


class MissingTopicError(StopError):
    """A topic that is needed does not exist."""

    @classmethod
    def of(cls, topics: Iterable[str]) -> Self:
        """The error for these topics, by their names on the broker; says how to make them."""
        names = sorted(topics)
        them = "it" if len(names) == 1 else "them"
        return cls(f"no such topic: {', '.join(names)}; `freshet topics` makes {them}")


class Outgoing(NamedTuple):
    """A record to publish; `value` None is a tombstone."""

    topic: Topic
    value: bytes | None
    key: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher:
    """The producer of one role (acks=all, idempotent)."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def start(self, topics: Sequence[str]) -> None:
        """Connect, and look whether the topics are there.

        Raises:
            BrokerUnavailableError: nobody answers.
            MissingTopicError: a topic does not exist; says how to make it.
        """
        producer = self._app.producer
        try:
            await producer.maybe_start()
            client = producer._producer  # noqa: SLF001
            if self._app.settings.memory_broker:
                # librdkafka's mock makes a topic when somebody asks for it by name.
                for topic in topics:
                    await client.partitions_for(topic)
            known = await client.client.fetch_all_metadata()
        except (KafkaError, OSError) as error:
            producer.service_reset()
            msg = f"cannot reach Kafka at {self._app.settings.bootstrap_servers}: {error}"
            raise BrokerUnavailableError(msg) from error
        if missing := set(topics) - known.topics():
            raise MissingTopicError.of(missing)

    async def stop(self) -> None:
        """Leave the broker; what was acknowledged stays."""
        await self._app.producer.stop()

    async def publish_all(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        """Publish in order and wait for all; returns partition and offset of each.

        Raises:
            BrokerUnavailableError: at least one was not acknowledged; any may have been written.
            RecordTooLargeError: one is larger than the producer or the topic takes.
        """
        client = self._app.producer._producer  # noqa: SLF001
        try:
            sent = [await self._send(record) for record in records]
            written = await asyncio.gather(*sent)
        except (MessageSizeTooLargeError, ProducerSendError, KafkaError) as error:
            await self._renewed(client, error)
            raise _translated(error) from error
        return [(metadata.partition, metadata.offset) for metadata in written]

    async def _renewed(self, client: Any, error: Exception) -> None:
        """Number records anew where the broker refuses the numbers: the next try may go well."""
        if isinstance(_cause(error), NUMBERS_REFUSED):
            with suppress(KafkaError, OSError):
                await self._app.producer.renew(client)

    async def _send(self, record: Outgoing) -> Any:
        return await self._app.producer.send(
            self._app.settings.topic(record.topic.name),
            record.key,
            record.value,
            None,
            None,
            list(record.headers),
        )


def _translated(error: Exception) -> RetryError | RejectError:
    cause = _cause(error)
    if isinstance(cause, MessageSizeTooLargeError):
        return RecordTooLargeError(f"cannot publish: {cause}")
    return BrokerUnavailableError(f"cannot publish: {cause!r}")


def _cause(error: Exception) -> BaseException | None:
    return error.__cause__ if isinstance(error, ProducerSendError) else error
