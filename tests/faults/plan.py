"""What goes wrong in one process, as a file says it: which fault, where, and when.

    {"points": [{"name": "crash-1", "point": "after_publish_before_ack", "action": "crash"}],
     "store":  [{"name": "flaky", "kind": "error", "rate": 0.2, "seed": 7, "switched": true}],
     "clocks": [{"name": "leap", "shift_seconds": 86400, "after_seconds": 5}]}

Beside the file stand two more for a fault: `NAME.armed`, which whoever injects faults makes and
removes to switch a `switched` fault on and off while the process runs, and `NAME.fired`, which the
process writes when it comes to pass. A point whose `NAME.fired` is there does nothing any more, so
that a role that starts again is not killed again; remove it to arm the point anew.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.errors import ConfigError

VARIABLE = "FRESHET_FAULTS"
"""Environment variable that names the file; without it nothing goes wrong."""

Point = Literal[
    "after_publish_before_ack",
    "after_upload_before_commit",
    "after_commit_before_reply",
    "after_commit_before_publish",
    "during_swap",
]
"""Where a process can be hit, between two effects whose order is a promise.

- after_publish_before_ack (windows, train, serve): the broker has the records, the offset that
  says so is not committed.
- after_upload_before_commit (the worker of train): every file of a round is in the store, its
  lineage entry is not.
- after_commit_before_reply (the worker of train): the entry is there, the role does not know.
- after_commit_before_publish (train): the role knows of the entry and has not announced it.
- during_swap (serve): a new version is loaded and warm, the old one still answers.
"""
Operation = Literal["put", "get", "list", "rename", "delete"]
"""What a process asks of the object store; a local put is a `put` and a `rename`."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PointFault(_Part):
    """What happens at a named point, once."""

    name: Name
    point: Point
    action: Literal["crash", "raise", "slow"]
    """`crash` is kill -9 of the process that is there, `raise` a `RetryError`."""
    nth: Annotated[int, Field(ge=1)] = 1
    """At which passage of this process; passages count while the fault is armed."""
    seconds: Seconds = 0.0
    """How long `slow` waits."""
    switched: bool = False
    """Armed only while `NAME.armed` is there."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.action == "slow") != (self.seconds > 0):
            msg = f"{self.name}: action is {self.action!r}, seconds is {self.seconds:g}; only slow "
            msg += "takes seconds, and needs them"
            raise ValueError(msg)
        return self


class _Lasting(_Part):
    """A fault with a beginning and an end."""

    name: Name
    after_seconds: Seconds = 0.0
    """When it begins, counted from the start of the process."""
    for_seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    """How long it lasts; None is for ever."""
    switched: bool = False
    """Only while `NAME.armed` is there, too."""


class StoreFault(_Lasting):
    """The object store fails, is slow, or has no room."""

    kind: Literal["error", "lost", "slow", "full"]
    """`error` comes before the store does anything; with `lost` it does it and the answer is lost;
    `full` refuses what writes data (`put`), as a local disk without room does."""
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the operations that meet it."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the draws."""
    seconds: Seconds = 0.0
    """How long `slow` waits before the operation."""
    operations: frozenset[Operation] = frozenset({"put", "get", "list", "rename", "delete"})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.kind == "slow") != (self.seconds > 0):
            msg = f"{self.name}: kind is {self.kind!r}, seconds is {self.seconds:g}; only slow "
            msg += "takes seconds, and needs them"
            raise ValueError(msg)
        return self


class ClockJump(_Lasting):
    """The wall clock goes wrong; the monotonic one does not."""

    shift_seconds: Annotated[float, Field(ge=-1e9, le=1e9)]
    """Added to what the wall clock says."""


class FaultPlan(_Part):
    """All that goes wrong in one process and in what it starts."""

    points: tuple[PointFault, ...] = ()
    store: tuple[StoreFault, ...] = ()
    clocks: tuple[ClockJump, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        lasting: tuple[_Lasting, ...] = (*self.store, *self.clocks)
        names = [point.name for point in self.points] + [fault.name for fault in lasting]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"names must differ, since each names files: {', '.join(twice)}"
            raise ValueError(msg)
        return self


def plan_path() -> Path | None:
    """The file that the environment names."""
    given = os.environ.get(VARIABLE)
    return Path(given).absolute() if given else None


def read_plan(path: Path) -> FaultPlan:
    """Read a plan.

    Raises:
        ConfigError: there is none, or it is not one; says why.
    """
    try:
        return FaultPlan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"{VARIABLE} is {str(path)!r}: {error}"
        raise ConfigError(msg) from error


def write_plan(path: Path, plan: FaultPlan) -> dict[str, str]:
    """Write a plan; the environment that makes a process follow it comes back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
    return {VARIABLE: str(path.absolute())}


def armed_file(path: Path, name: str) -> Path:
    """The file that switches a fault of the plan at `path` on while it is there."""
    return path.with_name(f"{name}.armed")


def fired_file(path: Path, name: str) -> Path:
    """The file that says that a fault of the plan at `path` has come to pass."""
    return path.with_name(f"{name}.fired")
