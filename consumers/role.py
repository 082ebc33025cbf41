"""The contract between a role and what runs it: batches in, records and commits out."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from consumers.batches import PartitionBatch, Place
from consumers.health.condition import Condition
from consumers.publisher import Outgoing
from schemas.topics import Topic


class RoleHandler(Protocol):
    """What a role does with its records.

    `batch` is called for one batch at a time, in offset order within a partition, and never again
    with a record that it has taken, unless it raised `RetryError` or the partition was assigned
    anew, which starts over at its committed offset. `assigned` and `revoked` may be called while
    `batch` waits. Any error but `RetryError`, from any of them, stops the role.
    """

    async def start(self, kafka: "RoleKafka") -> None:
        """Called first; publishing works, no partition is held yet.

        Raises:
            RetryError: it is called again after a pause.
        """
        ...

    async def assigned(self, partitions: frozenset[Place]) -> None:
        """Drop what is held of these: each is read again from its committed offset."""
        ...

    async def revoked(self, partitions: frozenset[Place]) -> None:
        """Drop what is held of these; another instance may read them already."""
        ...

    async def batch(self, batch: PartitionBatch) -> None:
        """Take a batch; while it waits no more than a few further batches are fetched.

        Raises:
            RetryError: the same batch is handed over again after a pause.
        """
        ...

    async def stop(self) -> None:
        """Finish or abandon the work in hand; publishing and committing still work.

        No batch is handed over after one that is in hand, which may be taken to its end.
        """
        ...

    def condition(self) -> Condition:
        """What there is to know of it now; asked every few seconds, must not block."""
        ...


class RoleKafka(Protocol):
    """What a role can ask of the broker. Every call raises `RetryError` when it does not answer."""

    async def publish(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> tuple[int, int]:
        """Publish one record; returns partition and offset once every replica has it."""
        ...

    async def publish_all(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        """Publish many, in order within a partition, and wait for all."""
        ...

    async def commit(self, offsets: Mapping[Place, int]) -> bool:
        """Commit the next offset to read of each partition.

        Returns False where the group has given a partition away: nothing is lost, whoever holds
        it now reads from what was committed before.
        """
        ...

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset behind the last record of each partition."""
        ...

    def fail(self, error: Exception) -> None:
        """Stop the role with this error and a nonzero exit status."""
        ...


def watched(task: "asyncio.Task[None]", kafka: RoleKafka) -> "asyncio.Task[None]":
    """Stop the role when a task of its own ends with an error: none goes unseen."""

    def ended(done: "asyncio.Task[None]") -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, Exception):
            kafka.fail(error)

    task.add_done_callback(ended)
    return task
