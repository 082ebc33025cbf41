"""One round: faults over a working installation, then quiet, then the checker's verdict."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kafka.errors import KafkaError

from tests.faults.checker.evidence import Evidence, Violation
from tests.faults.checker.lag import lag
from tests.faults.checker.verify import verify
from tests.faults.crew import Exit
from tests.faults.injector import Injector, Killable, plans_of
from tests.faults.schedule import Fault, ends, timeline
from tests.faults.stage import Stage
from tests.faults.stream import TASKS

BEGIN_WITHIN_SECONDS = 300.0
RECOVER_WITHIN_SECONDS = 300.0
"""After the last fault the system must be at the head of its topics within this time."""
IN_FLIGHT_SECONDS = 3.0
"""What a second look does not find any more was under way at the first."""
STEP_SECONDS = 0.05


class NeverBeganError(Exception):
    """The installation did not get to work: there was nothing to disturb yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a round."""

    seed: int
    faults: tuple[Fault, ...]
    violations: list[Violation]
    recovery_seconds: float | None
    """From the end of the last fault to the head of every topic; None: not within the limit."""
    records: Mapping[str, int]
    """Labeled texts by what they were meant to be, and texts that asked."""
    starts: Mapping[str, int]
    exits: list[Exit]
    entries: int
    versions: int
    story: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether a guarantee did not hold."""
        return bool(self.violations)


class Round:
    """Plays the timeline of a seed.

    Args:
        seed: decides faults and streams.
        faults: the timeline.
        stage: not yet started.
        brokers: by the names of the timeline's targets.
        folder: where the plans lie.
        say: told what happens, a line at a time.
    """

    def __init__(
        self,
        seed: int,
        *,
        faults: tuple[Fault, ...],
        stage: Stage,
        brokers: Mapping[str, Killable],
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._seed, self._faults, self._stage, self._say = seed, faults, stage, say
        self._story: list[str] = []
        self._began = time.monotonic()
        self._last = self._began
        self._looked = 0.0
        self._injector = Injector(
            faults, crew=stage.crew, brokers=brokers, folder=folder, told=self._told
        )

    def play(self) -> Outcome:
        """Begin, disturb, await the head, check.

        1. Start the roles and wait until every task has a version: the system is at work.
        2. Carry out the timeline while records flow.
        3. Stop the producers; the time from the end of the last fault to the head is the recovery.
        4. Check, twice where something is found: what is under way is no violation.
        """
        stage = self._stage
        # 1.
        stage.start()
        if not self._until(self._at_work, seconds=BEGIN_WITHIN_SECONDS, feed=stage.feed_first):
            raise NeverBeganError("\n".join(f"{e}" for e in stage.crew.exits) or "no version came")
        # 2.
        self._began = time.monotonic()
        self._until(self._over, seconds=ends(self._faults) + 60, feed=stage.feed)
        healed = time.monotonic()
        # 3.
        done = self._until(self._at_the_head, seconds=RECOVER_WITHIN_SECONDS)
        recovery = time.monotonic() - healed if done else None
        # 4.
        violations = self._violations()
        stage.crew.stop()
        evidence = self._evidence()
        return Outcome(
            seed=self._seed,
            faults=self._faults,
            violations=violations,
            recovery_seconds=recovery,
            records=Counter(stage.labeled.sent) + Counter(asking=stage.asking.sent.total()),
            starts=stage.crew.starts,
            exits=stage.crew.exits,
            entries=sum(len(each) for each in evidence.lineages.values()),
            versions=len(evidence.of("model-versions")),
            story=self._story,
        )

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
            if feed:
                feed(now - self._last)
            self._last = now
            self._stage.tail.poll()
            self._stage.crew.tick()
            time.sleep(STEP_SECONDS)
        return True

    def _at_work(self) -> bool:
        announced = {record.key for record in self._stage.tail.records["model-versions"]}
        if announced < {task.encode() for task in TASKS} or not self._due_to_look():
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
        if not self._due_to_look():
            return False
        if not (self._stage.labeled.flush() and self._stage.asking.flush()):
            return False
        try:
            evidence = self._evidence()
        except KafkaError:
            return False
        told = len({(r.key, r.json["sequence"]) for r in evidence.of("evaluation-events")})
        return not lag(evidence) and told == sum(map(len, evidence.lineages.values()))

    def _due_to_look(self) -> bool:
        due = time.monotonic() - self._looked > 0.5
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
        settings = self._stage.settings
        return self._stage.tail.evidence(self._stage.store, max_text_chars=settings.max_text_chars)

    def _told(self, fault: Fault, begins: bool) -> None:
        line = f"{time.monotonic() - self._began:6.2f} s  {'begin' if begins else 'end':<5} {fault}"
        self._story.append(line)
        self._say(line)


def drawn(seed: int, *, seconds: float, faults: int) -> tuple[Fault, ...]:
    """The timeline of a round on a single broker."""
    return timeline(seed, seconds=seconds, faults=faults)


def prepared(faults: tuple[Fault, ...], folder: Path) -> dict[str, dict[str, str]]:
    """The plans of a timeline, written; variables by role."""
    return plans_of(faults, folder)
