"""The windows that wait to be learned, and how far their topic may be committed."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Iterable, Sequence
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
        self._of_task: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def num_of_others(self, tasks: Container[str]) -> int:
        """How many windows of other tasks than these wait."""
        return sum(count for task, count in self._of_task.items() if task not in tasks)

    def add(self, waiting: Waiting) -> None:
        """Put a window at the end."""
        record = waiting.record
        key = (record.topic, record.partition, record.offset)
        self._of_task[waiting.window.task] += key not in self._waiting
        self._waiting[key] = waiting
        self.passed(record)

    def passed(self, record: ConsumerRecord) -> None:
        """Note that a record was read, whether or not it brought a window."""
        self._next_offset[record.topic, record.partition] = record.offset + 1

    def waiting(self) -> dict[str, dict[str, int]]:
        """How many windows wait, by task."""
        counts = Counter(item.window.task for item in self._waiting.values())
        return {task: {"waiting_windows": count} for task, count in counts.items()}

    def next_of_one_task(
        self,
        limit_of: Callable[[str], int],
        held_back: Callable[[str, Sequence[TrainingWindow]], bool] = lambda _task, _windows: False,
    ) -> list[Waiting]:
        """The oldest window and those of the same task behind it, up to the task's limit.

        They stay in the backlog until `done`.

        Args:
            limit_of: most windows of a task that are learned together.
            held_back: whether a task's waiting windows wait on; the next task is then looked at.
        """
        by_task: dict[str, list[Waiting]] = {}
        for item in self._waiting.values():
            by_task.setdefault(item.window.task, []).append(item)
        for task, same in by_task.items():
            if not held_back(task, [item.window for item in same]):
                return same[: limit_of(task)]
        return []

    def done(self, items: Iterable[Waiting]) -> None:
        """Take windows out: their outcome is published. Unknown ones are ignored."""
        for item in items:
            record = item.record
            self._take_out((record.topic, record.partition, record.offset))

    def drop(self, places: Iterable[Place]) -> None:
        """Forget partitions that were taken away; whoever gets them reads them again."""
        gone = set(places)
        for key in [key for key in self._waiting if key[:2] in gone]:
            self._take_out(key)
        for place in gone:
            self._next_offset.pop(place, None)

    def committable(self) -> dict[Place, int]:
        """Per partition the offset below which every window is done."""
        ends = dict(self._next_offset)
        for topic, partition, offset in self._waiting:
            place = (topic, partition)
            ends[place] = min(ends.get(place, offset), offset)
        return ends

    def _take_out(self, key: tuple[str, int, int]) -> None:
        item = self._waiting.pop(key, None)
        if item is not None:
            self._of_task[item.window.task] -= 1
