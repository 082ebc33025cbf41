"""The windows that wait to be learned, and how far their topic may be committed."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from consumers.batches import Place
from schemas.window import TrainingWindow


@dataclass(frozen=True, slots=True)
class Waiting:
    """A window that waits, and the record that brought it."""

    window: TrainingWindow
    record: ConsumerRecord

    @property
    def place(self) -> Place:
        """Topic and partition of the record that brought it."""
        return self.record.topic, self.record.partition


class Backlog:
    """Windows in the order in which they came. Pure: it decides nothing about time or Kafka."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, int, int], Waiting] = OrderedDict()
        self._next_offset: dict[Place, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: Waiting) -> None:
        """Put a window at the end."""
        record = waiting.record
        self._waiting[record.topic, record.partition, record.offset] = waiting
        self.passed(record)

    def passed(self, record: ConsumerRecord) -> None:
        """Note that a record was read, whether or not it brought a window."""
        self._next_offset[record.topic, record.partition] = record.offset + 1

    def next_of_one_task(self, limit_of: Callable[[str], int]) -> list[Waiting]:
        """The oldest window and those of the same task behind it, up to the task's limit.

        They stay in the backlog until `done`.
        """
        oldest = next(iter(self._waiting.values()), None)
        if oldest is None:
            return []
        task = oldest.window.task
        same = [item for item in self._waiting.values() if item.window.task == task]
        return same[: limit_of(task)]

    def done(self, items: Iterable[Waiting]) -> None:
        """Take windows out: their outcome is published. Unknown ones are ignored."""
        for item in items:
            record = item.record
            self._waiting.pop((record.topic, record.partition, record.offset), None)

    def drop(self, places: Iterable[Place]) -> None:
        """Forget partitions that were taken away; whoever gets them reads them again."""
        gone = set(places)
        for key in [key for key in self._waiting if key[:2] in gone]:
            del self._waiting[key]
        for place in gone:
            self._next_offset.pop(place, None)

    def committable(self) -> dict[Place, int]:
        """Per partition the offset below which every window is done."""
        ends = dict(self._next_offset)
        for topic, partition, offset in self._waiting:
            place = (topic, partition)
            ends[place] = min(ends.get(place, offset), offset)
        return ends
