"""One round: faults over a working installation, then quiet, then the checker's verdict."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kafka.errors import KafkaError

from tests.faults.checker.evidence import Evidence, Violation
from tests.faults.checker.lag import lag
from tests.faults.checker.verify import verify
from tests.faults.crew import Exit
from tests.faults.injector import Brokers, Injector
from tests.faults.schedule import Fault, ends
from tests.faults.stage import Stage
from tests.faults.stream import TASKS

BEGIN_WITHIN_SECONDS = 300.0
RECOVER_WITHIN_SECONDS = 300.0
"""After the last fault the system must be at the head of its topics within this time. On idle cores
it is there in a tenth of it; a busy machine must not look like a violation."""
IN_FLIGHT_SECONDS = 3.0
"""What a second look does not find any more was under way at the first."""
STEP_SECONDS, LOOK_SECONDS = 0.05, 1.0


class NeverBeganError(Exception):
    """The installation did not get to work: there was nothing to disturb yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a round."""

    seed: int
    faults: tuple[Fault, ...]
    fired: Counter[str]
    """Faults by their kind that came to pass: a crash at a point waits for a passage of it."""
    violations: tuple[Violation, ...]
    recovery_seconds: float | None
    """From the end of the last fault to the head of every topic; None: not within the limit."""
    records: Mapping[str, int]
    """Labeled texts by what they were meant to be, and texts that asked."""
    starts: int
    """Of roles, the first ones included."""
    exits: tuple[Exit, ...]
    outcomes: Counter[str]
    """Lineage entries by their outcome."""
    story: tuple[str, ...]
    """What happened when."""

    @property
    def recovery_words(self) -> str:
        """For a person."""
        late = f"not within {RECOVER_WITHIN_SECONDS:g} s"
        return late if self.recovery_seconds is None else f"{self.recovery_seconds:.1f} s"


class Round:
    """Plays a timeline.

    Args:
        seed: of the round.
        faults: its timeline.
        stage: not yet started.
        brokers: below it.
        folder: where the plans lie.
        say: told what happens, a line at a time.
    """

    def __init__(
        self,
        seed: int,
        *,
        faults: tuple[Fault, ...],
        stage: Stage,
        brokers: Brokers,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._seed, self._faults, self._stage, self._say = seed, faults, stage, say
        self._story: list[str] = []
        self._began = self._last = self._looked = time.monotonic()
        self._injector = Injector(
            faults, stage=stage, brokers=brokers, folder=folder, told=self._told
        )

    def play(self) -> Outcome:
        """Begin, disturb, await the head, check.

        1. Start the roles and wait until every task has a version: the system is at work.
        2. Carry out the timeline while records flow.
        3. Stop the producers; from the end of the last fault to the head it recovers.
        4. Check, twice where something is found: what is under way is no violation.
        """
        stage = self._stage
        # 1.
        stage.start()
        if not self._until(self._at_work, seconds=BEGIN_WITHIN_SECONDS, feed=stage.feed_first):
            raise NeverBeganError("\n".join(f"{one}" for one in stage.crew.exits) or "no version")
        # 2.
        self._began = time.monotonic()
        self._until(self._over, seconds=ends(self._faults) + BEGIN_WITHIN_SECONDS, feed=stage.feed)
        healed = time.monotonic()
        self._note("no fault is on any more")
        # 3.
        done = self._until(self._at_the_head, seconds=RECOVER_WITHIN_SECONDS)
        recovery = time.monotonic() - healed if done else None
        self._note("at the head of every topic" if done else "NOT at the head within the limit")
        # 4.
        violations = self._violations()
        stage.crew.stop()
        return self._outcome(tuple(violations), recovery)

    def _until(
        self,
        reached: Callable[[], bool],
        *,
        seconds: float,
        feed: Callable[[float], None] = lambda _seconds: None,
    ) -> bool:
        deadline = time.monotonic() + seconds
        while not reached():
            now = time.monotonic()
            if now > deadline:
                return False
            feed(now - self._last)
            self._last = now
            self._stage.tail.poll()
            self._stage.crew.tick()
            time.sleep(STEP_SECONDS)
        return True

    def _at_work(self) -> bool:
        announced = {record.key for record in self._stage.tail.records["model-versions"]}
        if announced < {task.encode() for task in TASKS} or not self._time_to_look():
            return False
        try:
            serving = self._stage.tail.committed()["serve"]
        except KafkaError:
            return False
        return {number for _, number in serving} == set(range(self._stage.settings.partitions))

    def _over(self) -> bool:
        self._injector.step(time.monotonic() - self._began)
        return self._injector.healed

    def _at_the_head(self) -> bool:
        """Whether everything is written, read and committed, and every entry told."""
        stage = self._stage
        if not self._time_to_look() or not (stage.labeled.flush() and stage.asking.flush()):
            return False
        entries = stage.entries()
        try:
            committed, ends_at = stage.tail.committed(), stage.tail.read_on()
        except KafkaError:
            return False
        told = {(r.key, r.json["sequence"]) for r in stage.tail.records["evaluation-events"]}
        return not lag(committed, ends_at) and len(told) == entries

    def _time_to_look(self) -> bool:
        due = time.monotonic() - self._looked > LOOK_SECONDS
        if due:
            self._looked = time.monotonic()
        return due

    def _violations(self) -> list[Violation]:
        first = verify(self._evidence())
        if not first:
            return []
        self._until(lambda: False, seconds=IN_FLIGHT_SECONDS)
        again = set(verify(self._evidence()))
        return [violation for violation in first if violation in again]

    def _evidence(self) -> Evidence:
        stage = self._stage
        return stage.tail.evidence(stage.store, max_text_chars=stage.settings.max_text_chars)

    def _outcome(self, violations: tuple[Violation, ...], recovery: float | None) -> Outcome:
        stage, lineages = self._stage, self._evidence().lineages
        entries = [entry for lineage in lineages.values() for entry in lineage.values()]
        return Outcome(
            seed=self._seed,
            faults=self._faults,
            fired=Counter(str(one.kind) for one in self._faults if self._injector.fired(one)),
            violations=violations,
            recovery_seconds=recovery,
            records=Counter(stage.labeled.sent) + Counter(asking=stage.asking.sent.total()),
            starts=stage.crew.starts.total(),
            exits=tuple(stage.crew.exits),
            outcomes=Counter(
                f"{entry['kind']} {entry['evaluation']['outcome']}" for entry in entries
            ),
            story=tuple(self._story),
        )

    def _told(self, fault: Fault, begins: bool) -> None:
        self._note(f"{'begins' if begins else 'ends'}: {fault.words}")

    def _note(self, what: str) -> None:
        line = f"{time.monotonic() - self._began:7.2f} s  {what}"
        self._story.append(line)
        self._say(line)
