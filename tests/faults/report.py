"""The result of a campaign, as a page."""

import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.faults.campaign import on_three_nodes
from tests.faults.checker.evidence import Violation
from tests.faults.round import Outcome

INTENTS = ("good", "duplicate", "corrected", "bad", "oversized", "asking")


@dataclass
class Books:
    """What came of all rounds so far."""

    rounds: int = 0
    on_cluster: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    exits: Counter[str] = field(default_factory=Counter)
    """Roles that ended by themselves, by their kind and the error that they named."""
    starts: int = 0
    recoveries: list[float] = field(default_factory=list)
    late: int = 0
    violations: list[tuple[int, Violation]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count a round."""
        self.rounds += 1
        self.on_cluster += on_three_nodes(outcome.seed)
        self.fired += outcome.fired
        self.records += Counter(outcome.records)
        self.outcomes += outcome.outcomes
        self.exits += Counter(one.reason for one in outcome.exits)
        self.starts += outcome.starts
        self.violations += [(outcome.seed, violation) for violation in outcome.violations]
        if outcome.recovery_seconds is None:
            self.late += 1
        else:
            self.recoveries.append(outcome.recovery_seconds)

    @property
    def kills(self) -> int:
        """kill -9 of a role, a worker or a broker."""
        return sum(self.fired[kind] for kind in ("kill", "kill-worker", "crash", "broker"))

    @property
    def line(self) -> str:
        """So far, on one line."""
        return (
            f"{self.rounds} rounds, {self.fired.total()} faults, {self.kills} kills, "
            f"{self.records.total()} records, {len(self.violations)} violations, "
            f"recovery {_spread(self.recoveries)}"
        )


def write_report(path: Path, books: Books, *, first_seed: int, faults: int, seconds: float) -> None:
    """Write the page."""
    path.write_text(_page(books, first_seed, faults, seconds), encoding="utf-8")


def _page(books: Books, first_seed: int, faults: int, seconds: float) -> str:
    command = f"make faults ROUNDS={books.rounds} SEED={first_seed}"
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    kept = "each of G1 to G5 held in every round" if not books.violations else "see below"
    lines = [
        "# Faults",
        "",
        f"`{command}`, on {machine}. A round starts two window, two training and two serving roles",
        f"on a real Kafka, lets {faults} faults begin within {seconds:g} s while records flow,",
        "waits until every group is at the head of its topics, and asks an independent checker",
        "(`tests/faults/checker`). Every fifth seed is played on a cluster of three nodes.",
        "",
        "| | |",
        "|---|---|",
        f"| rounds | {books.rounds}, of which {books.on_cluster} on three nodes |",
        f"| faults that came to pass | {books.fired.total()} |",
        f"| kill -9 of roles, workers and brokers | {books.kills} |",
        f"| starts of roles | {books.starts} |",
        f"| records written | {books.records.total()} |",
        f"| lineage entries | {books.outcomes.total()} |",
        f"| **violations** | **{len(books.violations)}**: {kept} |",
        f"| recovery | {_spread(books.recoveries)} |",
        f"| rounds that were not at the head within the limit | {books.late} |",
        "",
        "Recovery counts from the end of the last fault to the head of every topic. It holds the",
        "session timeout (6 s) of what was killed, the start of Python and torch, the windows that",
        "close by idleness (3 s), and what had piled up.",
        "",
        *_table("fault", books.fired),
        *_table("records", Counter({name: books.records[name] for name in INTENTS})),
        *_table("lineage entries", books.outcomes),
        *_table("recovery", _histogram(books.recoveries)),
        *_table("roles that ended by themselves, and were started again", books.exits),
        *(f"- seed {seed}: {violation}" for seed, violation in books.violations),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(title: str, counts: Counter[str]) -> list[str]:
    rows = [f"| {name} | {number} |" for name, number in counts.items() if number]
    return [f"| {title} | |", "|---|---|", *rows, ""] if rows else []


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "-"
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.9, 0.99)]
    return (
        f"median {median(ordered):.0f} s, 90 % {at[0]:.0f} s, 99 % {at[1]:.0f} s, "
        f"longest {ordered[-1]:.0f} s"
    )


def _histogram(seconds: list[float]) -> Counter[str]:
    edges = (0, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300)
    return Counter(
        {f"{a} to {b} s": sum(a <= one < b for one in seconds) for a, b in pairwise(edges)}
    )
