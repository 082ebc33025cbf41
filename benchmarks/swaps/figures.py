"""What became of every text and every answer while versions were swapped."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from benchmarks.swaps.flow import Answers, Flow
from schemas.prediction import Prediction

CYCLE = (0, 1, 0, 1, 2, 3, 2, 3)
"""Which of the versions comes when."""
MOST_GROWTH = 0.05
"""Of resident memory, as a share of that at swap 100."""
SETTLED = 100
"""Swaps after which memory is to stay."""
SAMPLES = 20
TOLERANCE = 1e-4
"""Of a score: other texts beside it change its last digits."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One swap: between these moments the version before it gave way. Seconds since 1970."""

    version: int
    announced_at: float
    answers_at: float
    resident_bytes: int


@dataclass(slots=True)
class Figures:
    """What came of it; milliseconds and MiB."""

    swaps: int
    texts: int
    lost: int
    repeated: int
    out_of_order: int
    wrong: int
    """Answers that are not what their version's files give, or by no announced version."""
    dead: int
    latency_ms: dict[str, float]
    gap_ms: dict[str, float]
    swap_ms: dict[str, float]
    """From the announcement to the first answer."""
    resident_mib: dict[str, float] = field(default_factory=dict)
    growth: float = 0.0

    def faults(self) -> list[str]:
        """The limits that are missed."""
        nothing = {name: getattr(self, name) for name in ("lost", "out_of_order", "wrong", "dead")}
        missed = [f"{count} texts {name}" for name, count in nothing.items() if count]
        if self.growth > MOST_GROWTH:
            missed.append(f"memory grew by {self.growth:.1%}, over {MOST_GROWTH:.0%}")
        return missed


def figures_of(
    swaps: Sequence[Swap],
    flow: Flow,
    found: Answers,
    expected: Mapping[tuple[int, str], Mapping[str, float]],
) -> Figures:
    """Look at all of it.

    Args:
        swaps: in their order.
        flow: what was sent.
        found: what came back.
        expected: the scores of each version, by its place among the learned ones, for each text.
    """
    every = [answer for of_one in found.of_key.values() for answer in of_one]
    first = {answer.id: answer for answer in reversed(every)}
    waits = [
        (flow.sent_at[int(answer.id)], answer.predicted_at.timestamp()) for answer in first.values()
    ]
    resident = [swap.resident_bytes / 2**20 for swap in swaps]
    early = statistics.median(resident[SETTLED - SAMPLES // 2 : SETTLED + SAMPLES // 2] or resident)
    late = statistics.median(resident[-SAMPLES:])
    lost = len(flow.sent_at) - len(first)
    return Figures(
        swaps=len(swaps),
        texts=len(flow.sent_at),
        lost=lost,
        repeated=len(every) - len(first),
        out_of_order=sum(_disorder(of_one) for of_one in found.of_key.values()),
        wrong=sum(not _right(answer, flow, expected, len(swaps)) for answer in every),
        dead=found.dead,
        latency_ms=_percentiles([end - start for start, end in waits]),
        gap_ms=_percentiles([_gap(swap, waits) for swap in swaps]),
        swap_ms=_percentiles([swap.answers_at - swap.announced_at for swap in swaps]),
        resident_mib={"swap_100": early, "last": late, "highest": max(resident)},
        growth=late / early - 1.0,
    )


def _gap(swap: Swap, waits: Sequence[tuple[float, float]]) -> float:
    """The longest wait of a text that was in hand while this swap was made."""
    return max(
        end - start for start, end in waits if end >= swap.announced_at and start <= swap.answers_at
    )


def _disorder(answered: Sequence[Prediction]) -> int:
    """First answers behind a later text's, or by an older version than the answer before."""
    first: dict[str, Prediction] = {}
    for answer in answered:
        first.setdefault(answer.id, answer)
    return sum(
        int(later.id) <= int(earlier.id) or later.version < earlier.version
        for earlier, later in pairwise(first.values())
    )


def _right(
    answer: Prediction,
    flow: Flow,
    expected: Mapping[tuple[int, str], Mapping[str, float]],
    newest: int,
) -> bool:
    known = expected[CYCLE[answer.version % len(CYCLE)], flow.text(int(answer.id))]
    close = known.keys() == answer.scores.keys() and all(
        abs(known[label] - score) < TOLERANCE for label, score in answer.scores.items()
    )
    return close and 0 <= answer.version <= newest


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    return {
        name: round(float(np.percentile(seconds, share)) * 1000, 1)
        for name, share in (("p50", 50), ("p99", 99), ("max", 100))
    }
