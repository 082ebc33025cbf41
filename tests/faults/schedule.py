"""What goes wrong when: a pure function of a seed, so that the same seed replays it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

WINDOWS, TRAIN, SERVE = ("windows-1", "windows-2"), ("train-1", "train-2"), ("serve-1", "serve-2")
ROLES = (*WINDOWS, *TRAIN, *SERVE)


class Kind(StrEnum):
    """What can go wrong."""

    KILL = "kill"
    """kill -9 of a role, and in half of the cases of its worker with it."""
    TERMINATE = "terminate"
    """SIGTERM of a role."""
    KILL_WORKER = "kill-worker"
    """kill -9 of the worker process of a training role."""
    PAUSE = "pause"
    """SIGSTOP past the session timeout: the group gives its partitions away, then it goes on."""
    BROKER = "broker"
    """kill -9 of a broker, and its restart."""
    STORM = "storm"
    """Further members join a group and leave it, in good order or not."""
    CRASH = "crash"
    """kill -9 at a named point."""
    STORE_ERROR = "store-error"
    """A share of what a process asks of the store fails."""
    STORE_LOST = "store-lost"
    """The store does what it is asked, and a share of its answers is lost."""
    STORE_SLOW = "store-slow"
    """The store takes its time."""
    DISK_FULL = "disk-full"
    """The store takes no more files."""
    CLOCK = "clock"
    """The wall clock of a process jumps, and back."""
    TAMPER = "tamper"
    """A file of the newest version is changed or cut off, and the role that serves it starts anew;
    then the file is whole again."""
    RETENTION = "retention"
    """The log loses what was windowed by now, learned or not."""
    LEADER = "leader"
    """Another node of a cluster leads a partition."""


SINGLE = tuple(kind for kind in Kind if kind is not Kind.LEADER)
"""What can happen on one broker."""


class Fault(NamedTuple):
    """One fault on the timeline; seconds count from when the installation is at work."""

    number: int
    at: float
    kind: Kind
    target: str
    """A role; the kind of a role for `storm`, a node for `broker`, a partition for the log's."""
    seconds: float
    """How long it lasts: until the role is started again, the pause ends, the disk has room."""
    point: str = ""
    """Of `crash`: the named point."""
    nth: int = 1
    """Of `crash`: at which passage."""
    amount: float = 0.0
    """Share of the operations that fail or whose answer is lost, seconds that they take, seconds
    by which a clock jumps, joins of a storm; 1 where a worker is killed with its role, or a file is
    cut off."""

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.at + self.seconds

    @property
    def words(self) -> str:
        """What goes wrong, for a person."""
        more = f" at passage {self.nth} of {self.point}" if self.point else ""
        more += f" ({self.amount:g})" if self.amount else ""
        return f"{self.kind} of {self.target}{more}"

    def __str__(self) -> str:
        return f"{self.at:6.2f} s, for {self.seconds:5.2f} s: {self.words}"


@dataclass(frozen=True, slots=True)
class _Means:
    targets: tuple[str, ...]
    shortest: float
    longest: float


MEANS = {
    Kind.KILL: _Means(ROLES, 0.0, 3.0),
    Kind.TERMINATE: _Means(ROLES, 0.0, 3.0),
    Kind.KILL_WORKER: _Means(TRAIN, 0.0, 0.0),
    Kind.PAUSE: _Means(ROLES, 7.5, 10.0),
    Kind.BROKER: _Means(("1",), 0.5, 5.0),
    Kind.STORM: _Means(("windows", "train", "serve"), 4.0, 10.0),
    Kind.CRASH: _Means(ROLES, 8.0, 14.0),
    Kind.STORE_ERROR: _Means((*TRAIN, *SERVE), 5.0, 10.0),
    Kind.STORE_LOST: _Means(TRAIN, 5.0, 10.0),
    Kind.STORE_SLOW: _Means((*TRAIN, *SERVE), 5.0, 10.0),
    Kind.DISK_FULL: _Means(TRAIN, 5.0, 10.0),
    Kind.CLOCK: _Means(ROLES, 3.0, 8.0),
    Kind.TAMPER: _Means(SERVE, 4.0, 8.0),
    Kind.RETENTION: _Means(("0", "1"), 0.0, 0.0),
    Kind.LEADER: _Means(("0", "1"), 0.0, 0.0),
}

POINTS = {
    "windows": ("after_publish_before_ack",),
    "train": (
        "after_upload_before_commit",
        "after_commit_before_reply",
        "after_commit_before_publish",
        "after_publish_before_ack",
    ),
    "serve": ("after_publish_before_ack", "during_swap"),
}
JUMPS = (-86_400.0, -600.0, 30.0, 3_600.0, 86_400.0)
"""Seconds by which a clock jumps."""


def timeline(
    seed: int,
    *,
    seconds: float,
    faults: int,
    kinds: Sequence[Kind] = SINGLE,
    nodes: Sequence[str] = ("1",),
) -> tuple[Fault, ...]:
    """The faults of one round, in order: each kind before any comes up again.

    Args:
        seed: decides everything.
        seconds: over which they begin.
        faults: how many.
        kinds: those to choose from.
        nodes: the brokers.
    """
    draw = random.Random(f"timeline/{seed}")  # noqa: S311 - it must repeat, not surprise
    deck: list[Kind] = []
    while len(deck) < faults:
        deck += draw.sample(list(kinds), len(kinds))
    slot = seconds / max(1, faults)
    return tuple(
        _drawn(draw, number, kind, at=round((number + draw.random()) * slot, 2), nodes=nodes)
        for number, kind in enumerate(deck[:faults])
    )


def ends(faults: Sequence[Fault]) -> float:
    """When the last of them is over."""
    return max((fault.ends for fault in faults), default=0.0)


def _drawn(
    draw: random.Random, number: int, kind: Kind, *, at: float, nodes: Sequence[str]
) -> Fault:
    means = MEANS[kind]
    target = draw.choice(nodes if kind is Kind.BROKER else means.targets)
    lasts = round(draw.uniform(means.shortest, means.longest), 2)
    point, nth, amount = "", 1, 0.0
    if kind is Kind.CRASH:
        point, nth = draw.choice(POINTS[target.partition("-")[0]]), draw.choice((1, 1, 1, 2, 3))
    elif kind in {Kind.KILL, Kind.TAMPER}:
        amount = float(draw.random() < 0.5)
    elif kind is Kind.STORM:
        amount = float(draw.randint(1, 2))
    elif kind is Kind.CLOCK:
        amount = draw.choice(JUMPS)
    elif kind in {Kind.STORE_ERROR, Kind.STORE_LOST}:
        amount = round(draw.uniform(0.2, 1.0), 2)
    elif kind is Kind.STORE_SLOW:
        amount = round(draw.uniform(0.05, 0.5), 2)
    return Fault(number, at, kind, target, lasts, point, nth, amount)
