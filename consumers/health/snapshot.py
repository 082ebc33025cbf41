"""What the probes of a role answer, from what was last seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from consumers.batches import Place
from consumers.health.condition import Condition
from consumers.health.watchdog import Reading, Verdict, Work

State = Literal["starting", "running", "draining"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A role at one moment. Replaced, never changed: any thread may read it."""

    role: str
    state: State = "starting"
    assigned: bool = False
    """Whether the group has given it its share, which may be none where others hold all."""
    partitions: Mapping[Place, Reading] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=lambda: Verdict(still={}))
    condition: Condition = field(default_factory=Condition)
    work: Work | None = None
    stalls: Mapping[str, int] = field(default_factory=dict)
    """Steps taken against stalls since the start, by name."""
    taken_at: float = 0.0
    """By `time.monotonic`."""


def not_alive(snapshot: Snapshot, *, silent_seconds: float, limit_seconds: float) -> list[str]:
    """Why the process should be ended; empty: it is alive.

    Args:
        snapshot: the last one.
        silent_seconds: since the event loop gave a sign.
        limit_seconds: after which a silent loop counts as hung.
    """
    reasons = []
    if silent_seconds >= limit_seconds:
        reasons.append(f"the event loop has been silent for {silent_seconds:.0f} s")
    if snapshot.state == "draining":
        return reasons  # it ends within shutdown_seconds by itself
    for topic, partition in snapshot.verdict.stalled:
        seconds = snapshot.verdict.still.get((topic, partition), 0.0)
        reasons.append(f"{topic}/{partition} has records and has not moved for {seconds:.0f} s")
    if snapshot.verdict.stalled_work:
        reasons.append(f"no sign of getting on with {snapshot.verdict.stalled_work}")
    return reasons


def not_ready(snapshot: Snapshot, *, silent_seconds: float, limit_seconds: float) -> list[str]:
    """Why no work should be expected of the role now; empty: it is ready."""
    reasons = not_alive(snapshot, silent_seconds=silent_seconds, limit_seconds=limit_seconds)
    if snapshot.state != "running":
        reasons.append(snapshot.state)
    elif not snapshot.assigned:
        reasons.append("the group has assigned no partitions yet")
    if snapshot.condition.not_ready:
        reasons.append(snapshot.condition.not_ready)
    return reasons


def status(snapshot: Snapshot, *, now: float) -> dict[str, Any]:
    """All there is to say, as JSON takes it."""
    work, still = snapshot.work, snapshot.verdict.still
    return {
        "role": snapshot.role,
        "state": snapshot.state,
        "seen_seconds_ago": round(now - snapshot.taken_at, 3),
        "tasks": dict(snapshot.condition.tasks),
        "partitions": [
            {
                "topic": topic,
                "partition": partition,
                "position": reading.position,
                "lag": reading.lag,
                "seconds_since_moved": round(still.get((topic, partition), 0.0), 3),
                "stalled": (topic, partition) in snapshot.verdict.stalled,
            }
            for (topic, partition), reading in sorted(snapshot.partitions.items())
        ],
        "work": None
        if work is None
        else {"what": work.what, "silent_seconds": round(now - work.beat_at, 3)},
        "stalls": dict(snapshot.stalls),
    }
