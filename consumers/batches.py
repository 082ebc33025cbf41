"""Records of one partition, as a role takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord

Place = tuple[str, int]
"""A topic and a partition."""


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """Records of one partition in offset order, as one fetch brought them."""

    topic: str
    partition: int
    records: Sequence[ConsumerRecord]
    turn: int = 0
    """The handover's turn when they were fetched: of an older one they are read again."""

    @property
    def place(self) -> Place:
        """The partition that they stand in."""
        return self.topic, self.partition
