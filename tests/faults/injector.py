"""Carries out a timeline: each fault begins and ends at its time."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from kafka.errors import KafkaError

from consumers.broker.errors import BrokerError
from tests.faults.plan import (
    ClockJump,
    FaultPlan,
    PointFault,
    StoreFault,
    armed_file,
    fired_file,
    write_plan,
)
from tests.faults.schedule import Fault, Kind
from tests.faults.spoilt import Spoilt, spoil_newest
from tests.faults.stage import Stage

PLAN = "plan.json"
AGAIN_SECONDS, LONGEST_SECONDS = 1.0, 60.0
"""What could not come to pass at its time is tried so often, for so long."""
STORE_KINDS = {
    Kind.STORE_ERROR: "error",
    Kind.STORE_LOST: "lost",
    Kind.STORE_SLOW: "slow",
    Kind.DISK_FULL: "full",
}


class Brokers(Protocol):
    """What the faults do to brokers."""

    def kill(self, node: str) -> bool:
        """End a node at once; False where too few would be left, and nothing is done."""
        ...

    def start(self, node: str) -> None:
        """Start it where it is down, and return when it answers."""
        ...

    def move_leader(self, topic: str, partition: int) -> None:
        """Let another node lead a partition."""
        ...


def plans_of(faults: Sequence[Fault], folder: Path) -> dict[str, dict[str, str]]:
    """Write the plan of every role that needs one; its environment, by the role's name."""
    names = {fault.target for fault in faults if _in_a_plan(fault) is not None}
    made = {}
    for name in sorted(names):
        parts = [_in_a_plan(fault) for fault in faults if fault.target == name]
        plan = FaultPlan(
            points=tuple(part for part in parts if isinstance(part, PointFault)),
            store=tuple(part for part in parts if isinstance(part, StoreFault)),
            clocks=tuple(part for part in parts if isinstance(part, ClockJump)),
        )
        made[name] = write_plan(folder / name / PLAN, plan)
    return made


class _Step(NamedTuple):
    at: float
    number: int
    fault: Fault
    begins: bool


def _order(step: _Step) -> tuple[float, bool, int]:
    return step.at, not step.begins, step.number


class Injector:
    """Begins and ends faults; `healed` once all are over and the brokers answer again.

    Args:
        faults: of the timeline.
        stage: roles, store and topics.
        brokers: below them.
        folder: where `plans_of` wrote the plans.
        told: called with each step that was carried out.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        *,
        stage: Stage,
        brokers: Brokers,
        folder: Path,
        told: Callable[[Fault, bool], None] = lambda _fault, _begins: None,
    ) -> None:
        self._stage, self._brokers, self._folder, self._told = stage, brokers, folder, told
        self._crew = stage.crew
        steps = [_Step(fault.at, fault.number, fault, begins=True) for fault in faults]
        steps += [_Step(fault.ends, fault.number, fault, begins=False) for fault in faults]
        # Of one moment what begins comes first, so that a fault without a length has both.
        self._steps = sorted(steps, key=_order)
        self._starting: list[threading.Thread] = []
        self._spoilt: dict[int, Spoilt] = {}
        self._in_vain: set[int] = set()

    def step(self, elapsed: float) -> None:
        """Carry out what is due."""
        while self._steps and self._steps[0].at <= elapsed:
            step = self._steps.pop(0)
            if step.begins and step.fault.kind is Kind.RETENTION and not self._delete(step.fault):
                self._put_off(step, elapsed)
                continue
            (self._begin if step.begins else self._end)(step.fault)
            self._told(step.fault, step.begins)

    @property
    def healed(self) -> bool:
        """Whether no fault is on any more."""
        return not self._steps and not any(thread.is_alive() for thread in self._starting)

    def fired(self, fault: Fault) -> bool:
        """Whether a fault has come to pass."""
        inside = _in_a_plan(fault)
        if inside is None:
            return fault.number not in self._in_vain
        return fired_file(self._plan(fault), inside.name).exists()

    def _begin(self, fault: Fault) -> None:
        if (inside := _in_a_plan(fault)) is not None:
            if fault.kind is Kind.CRASH:
                self._crew.expect_end(fault.target)
            armed_file(self._plan(fault), inside.name).touch()
            return
        crew, name = self._crew, fault.target
        match fault.kind:
            case Kind.KILL:
                crew.kill(name, down_seconds=fault.seconds, with_worker=fault.amount > 0)
            case Kind.TERMINATE:
                crew.terminate(name, down_seconds=fault.seconds)
            case Kind.KILL_WORKER:
                crew.kill_worker(name)
            case Kind.PAUSE:
                crew.pause(name)
            case Kind.STORM:
                for extra in self._extras(fault):
                    crew.join(extra)
            case Kind.TAMPER:
                self._spoil(fault)
            case _:
                self._begin_below(fault)

    def _begin_below(self, fault: Fault) -> None:
        """What happens to the brokers and their logs."""
        match fault.kind:
            case Kind.BROKER:
                if not self._brokers.kill(fault.target):
                    self._in_vain.add(fault.number)
            case Kind.LEADER:
                place = self._stage.labeled_place(fault.target)
                self._aside(lambda: self._brokers.move_leader(*place))

    def _delete(self, fault: Fault) -> bool:
        """Let retention delete; False where nothing is windowed yet, or the broker is away."""
        self._in_vain.add(fault.number)
        with suppress(KafkaError):
            if self._stage.delete_windowed(int(fault.target)):
                self._in_vain.discard(fault.number)
        return fault.number not in self._in_vain

    def _put_off(self, step: _Step, elapsed: float) -> None:
        """Try it again a little later, while records go on; in the end it was in vain."""
        if elapsed >= step.fault.at + LONGEST_SECONDS:
            self._steps = [one for one in self._steps if one.number != step.number]
            return
        later = elapsed + AGAIN_SECONDS
        steps = (
            one._replace(at=later + one.at - step.at) if one.number == step.number else one
            for one in (step, *self._steps)
        )
        self._steps = sorted(steps, key=_order)

    def _end(self, fault: Fault) -> None:
        if (inside := _in_a_plan(fault)) is not None:
            armed_file(self._plan(fault), inside.name).unlink(missing_ok=True)
            return
        match fault.kind:
            case Kind.PAUSE:
                self._crew.resume(fault.target)
            case Kind.STORM:
                for number, extra in enumerate(self._extras(fault)):
                    self._crew.leave(extra, in_good_order=number % 2 == 0)
            case Kind.TAMPER:
                if (spoilt := self._spoilt.pop(fault.number, None)) is not None:
                    spoilt.mend()
            case Kind.BROKER:
                self._aside(lambda: self._restart(fault.target))

    def _spoil(self, fault: Fault) -> None:
        """Spoil the newest version, and let a serve role start that must load it."""
        versions = self._stage.tail.records["model-versions"]
        if not self._spoilt:  # a file that is spoilt already must not be put back so
            spoilt = spoil_newest(self._stage.store, versions, cut=fault.amount > 0)
            if spoilt is not None:
                self._spoilt[fault.number] = spoilt
        if fault.number not in self._spoilt:
            self._in_vain.add(fault.number)
        self._crew.kill(fault.target, down_seconds=0.0, with_worker=False)

    def _restart(self, node: str) -> None:
        """Where it is killed again while it starts, the end of that fault starts it."""
        with suppress(BrokerError):
            self._brokers.start(node)

    def _aside(self, work: Callable[[], None]) -> None:
        """Do what takes its time in a thread: the other faults do not wait for it."""
        thread = threading.Thread(target=work)
        thread.start()
        self._starting.append(thread)

    def _extras(self, fault: Fault) -> list[str]:
        return [f"{fault.target}-{fault.number}{number}" for number in range(int(fault.amount))]

    def _plan(self, fault: Fault) -> Path:
        return self._folder / fault.target / PLAN


def _in_a_plan(fault: Fault) -> PointFault | StoreFault | ClockJump | None:
    """What stands in the plan of its role, switched on while the fault lasts."""
    name, amount = f"f{fault.number}", fault.amount
    if fault.kind is Kind.CRASH:
        return PointFault.model_validate(
            {
                "name": name,
                "point": fault.point,
                "action": "crash",
                "nth": fault.nth,
                "switched": True,
            }
        )
    if fault.kind is Kind.CLOCK:
        return ClockJump(name=name, shift_seconds=amount, switched=True)
    kind = STORE_KINDS.get(fault.kind)
    if kind is None:
        return None
    how = {"seconds": amount} if kind == "slow" else {"rate": amount or 1.0}
    return StoreFault.model_validate(
        {"name": name, "kind": kind, "seed": fault.number, "switched": True, **how}
    )
