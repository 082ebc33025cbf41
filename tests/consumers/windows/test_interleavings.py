"""Whatever happens to the windows role, each record is in one window that counts, and none is lost.

Hypothesis plays producers, a group of two window roles, a broker that fails, and training. The
roles are the real handlers; what training takes in and trims is the model's own.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from consumers.batches import PartitionBatch
from consumers.control import GivenCommand
from consumers.windows.agent import WindowsHandler
from model.errors import RetryError
from schemas.control import Action, Command
from tests.consumers.raw import labeled, raw
from tests.consumers.windows.interleaving import (
    PARTITIONS,
    PRODUCED,
    ROLES,
    SETTINGS,
    START,
    TASKS,
    TOPIC,
    CrashError,
    Group,
    Kafka,
    Mishap,
    Produced,
    Role,
)
from tests.consumers.windows.lineage import Lineage, task_of


class Interleavings(RuleBasedStateMachine):
    """Anything may happen between any two steps."""

    @initialize(records=st.lists(PRODUCED, min_size=12, max_size=40))
    def begin(self, records: list[Produced]) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = START
        self.stamp = 0
        self.group = Group()
        self.commands: list[GivenCommand] = []
        self.lineages: dict[str, Lineage] = defaultdict(Lineage)
        self.roles = {number: self._started(number) for number in ROLES}
        self._told(0, PARTITIONS)
        self.produce(records)

    # Producers.

    @rule(records=st.lists(PRODUCED, min_size=1, max_size=12))
    def produce(self, records: list[Produced]) -> None:
        """Append records, without a task bad ones."""
        for partition, task, seconds, number, label in records:
            self.stamp += 1
            log = self.group.log[partition]
            time = (START - timedelta(days=400) + timedelta(seconds=seconds)).isoformat()
            fields = {} if number is None else {"id": f"id-{number}"}
            value = b"{"
            if task is not None:
                fields |= {"task": task, "label": label, "event_time": time}
                value = labeled(text=f"t{number}", **fields)
            stamp = int(START.timestamp() * 1000) + self.stamp
            record = raw(value, topic=TOPIC, offset=len(log), timestamp=stamp)
            log.append(replace(record, partition=partition))

    @rule(task=st.sampled_from(TASKS))
    def close(self, task: str) -> None:
        """Command every role that hears it to close the task's windows."""
        self.stamp += 1
        given = int(START.timestamp() * 1000) + self.stamp
        command = Command(
            command_id=f"c{self.stamp}",
            action=Action.CLOSE,
            task=task,
            who="tests",
            why="tests",
            given_at=self.now,
        )
        self.commands.append(GivenCommand(command, given))
        for number, role in self.roles.items():
            if role.sees is None:
                self._does(number, role.handler._obey(self.commands[-1]))

    # Window roles.

    @rule(
        number=st.sampled_from(ROLES),
        partition=st.sampled_from(PARTITIONS),
        count=st.integers(1, 20),
        mishap=st.sampled_from(["none", "none", "none", "refused", "not acknowledged", "crash"]),
    )
    def read(self, number: int, partition: int, count: int, mishap: Mishap) -> None:
        """Hand a batch over; where the broker fails, it comes again later."""
        role = self.roles[number]
        if partition not in role.position:
            return
        start = role.position[partition]
        log = self.group.log[partition]
        end = len(log) if role.sees is None else role.sees.get(partition, 0)
        records = log[start : min(start + count, end)]
        if not records:
            return
        role.kafka.mishap = mishap
        if self._does(number, role.handler.batch(PartitionBatch(TOPIC, partition, records))):
            self.roles[number].position[partition] = start + len(records)
        role.kafka.mishap = "none"

    @rule(
        number=st.sampled_from(ROLES),
        partition=st.sampled_from(PARTITIONS),
        back=st.integers(1, 8),
    )
    def seek_back(self, number: int, partition: int, back: int) -> None:
        """The client goes back to what the role has taken already: it comes a second time."""
        position = self.roles[number].position
        if partition in position:
            position[partition] = max(0, position[partition] - back)

    @rule(number=st.sampled_from(ROLES), seconds=st.sampled_from([1, 30, 61]))
    def wait(self, number: int, seconds: int) -> None:
        """Time passes, and a role looks for idle windows."""
        self.now += timedelta(seconds=seconds)
        self._does(number, self.roles[number].handler.tick())

    @rule(owner=st.tuples(st.sampled_from(ROLES), st.sampled_from(ROLES)), asleep=st.booleans())
    def rebalance(self, owner: tuple[int, int], asleep: bool) -> None:
        """The group moves partitions; a role that sleeps through it goes on with what it had."""
        lost = set(self.roles[0].position) - {p for p in PARTITIONS if owner[p] == 0}
        self.group.owner = dict(zip(PARTITIONS, owner, strict=True))
        for number, role in self.roles.items():
            if number == 0 and asleep and lost:
                if role.sees is None:
                    role.sees = {p: len(self.group.log[p]) for p in role.position}
                continue
            self._told(number, [p for p in PARTITIONS if owner[p] == number])

    @precondition(lambda self: self.roles[0].sees is not None)
    @rule()
    def wake(self) -> None:
        """The role that slept learns what it holds."""
        self._told(0, [p for p in PARTITIONS if self.group.owner[p] == 0])

    # Training.

    @rule(task=st.sampled_from(TASKS), count=st.integers(1, 4))
    def train(self, task: str, count: int) -> None:
        """Learn the next windows together, as the worker does."""
        lineage = self.lineages[task]
        windows = self.group.windows[task][lineage.position : lineage.position + count]
        lineage.position += len(windows)
        waiting = [w for w in windows if w.span.end > lineage.through.get(w.span.place, 0)]
        if waiting:
            lineage.learn(task, waiting, self.group.log)

    @rule(task=st.sampled_from(TASKS), back=st.integers(1, 4))
    def train_again(self, task: str, back: int) -> None:
        """Windows are redelivered after a crash between entry and commit."""
        self.lineages[task].position = max(0, self.lineages[task].position - back)

    # What must hold.

    @invariant()
    def nothing_below_the_committed_offset_is_without_a_window_or_a_dead_letter(self) -> None:
        for partition, committed in self.group.committed.items():
            for raw_record in self.group.log[partition][:committed]:
                task, place = task_of(raw_record), (partition, raw_record.offset)
                if task is None:
                    assert place in self.group.letters
                else:
                    assert any(
                        w.span.partition == partition and w.span.start <= place[1] < w.span.end
                        for w in self.group.windows[task]
                    )

    @invariant()
    def all_that_training_has_passed_was_dealt_with_exactly_once(self) -> None:
        for task, lineage in self.lineages.items():
            passed = {
                (partition, record.offset)
                for partition in PARTITIONS
                for record in self.group.log[partition]
                if task_of(record) == task
                and record.offset < lineage.through.get(f"{TOPIC}/{partition}", 0)
            }
            assert lineage.fates == Counter(passed)

    def teardown(self) -> None:
        """In the end everything is quiet: then every record was dealt with."""
        if not hasattr(self, "group"):
            return
        self.rebalance((0, 0), asleep=False)
        for partition in PARTITIONS:
            self.read(0, partition, 1000, "none")
        self.now += timedelta(seconds=61)
        self._does(0, self.roles[0].handler.tick())
        for task in TASKS:
            self.train(task, 1000)
            valid = {
                (partition, record.offset)
                for partition in PARTITIONS
                for record in self.group.log[partition]
                if task_of(record) == task
            }
            assert self.lineages[task].fates == Counter(valid)
        bad = {
            (partition, record.offset)
            for partition in PARTITIONS
            for record in self.group.log[partition]
            if task_of(record) is None
        }
        assert self.group.letters == bad
        self.loop.close()

    def _started(self, number: int) -> Role:
        handler, kafka = WindowsHandler(SETTINGS, clock=lambda: self.now), Kafka(self.group, number)
        handler._kafka = kafka  # type: ignore[assignment]
        for command in self.commands:
            handler._remember(command)
        return Role(handler, kafka)

    def _told(self, number: int, partitions: Iterable[int]) -> None:
        """A role starts over on these partitions, each from its committed offset."""
        role = self.roles[number]
        held = frozenset((TOPIC, partition) for partition in partitions)
        self._does(number, role.handler.revoked(frozenset((TOPIC, p) for p in role.position)))
        self._does(number, role.handler.assigned(held))
        role.position = {partition: self.group.committed[partition] for _, partition in held}
        role.sees = None

    def _does(self, number: int, work: Any) -> bool:
        """Whether it went well; a role that crashes starts anew."""
        try:
            self.loop.run_until_complete(work)
        except RetryError:
            return False
        except CrashError:
            self.roles[number] = self._started(number)
            self._told(number, [p for p in PARTITIONS if self.group.owner[p] == number])
            return False
        return True


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
