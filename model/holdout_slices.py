"""Accuracy slice by slice: by label, source, round, month and the age of the label.

At most `MOST_LABELS` + 2 * `MOST_OTHERS` + `MOST_WINDOWS` + `len(AGES)` slices: 276.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC

import numpy as np
from numpy.typing import NDArray

from model.holdout import HoldoutRow
from schemas.evaluation import SliceAccuracy

Flags = NDArray[np.bool_]

MOST_LABELS = 200
"""Most slices by label: those with the most records."""
MOST_OTHERS = 24
"""Most slices by source (those with the most records) and by month (the newest)."""
MOST_WINDOWS = 24
"""Most slices by round: one half the newest, the other spread over all before."""
AGES = (("0", 0), ("1-4", 1), ("5-19", 5), ("20+", 20))
"""Name and least number of rounds of each age of a label."""


def slice_accuracies(
    rows: Sequence[HoldoutRow],
    *,
    champion_right: Flags | None,
    candidate_right: Flags,
    first_seen: Mapping[str, int],
    sequence: int,
) -> tuple[SliceAccuracy, ...]:
    """How champion and candidate do on each slice, by name.

    Args:
        rows: the judge records (N).
        champion_right: (N,), or None where nothing serves yet.
        candidate_right: (N,).
        first_seen: per label the sequence of its first held-out record.
        sequence: of this round; a label's age counts from it.
    """
    return tuple(
        SliceAccuracy(
            name=name,
            num_records=len(held),
            champion=None if champion_right is None else float(champion_right[held].mean()),
            candidate=float(candidate_right[held].mean()),
        )
        for name, held in sorted(_members(rows, first_seen, sequence))
    )


def first_seen(rows: Sequence[HoldoutRow]) -> dict[str, int]:
    """Per label the sequence of its first record among these."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.label] = min(row.sequence, found.get(row.label, row.sequence))
    return found


def _members(
    rows: Sequence[HoldoutRow], first_seen: Mapping[str, int], sequence: int
) -> Iterator[tuple[str, list[int]]]:
    """Name of each slice and the places of its records."""
    age = {label: age_of(sequence - first) for label, first in first_seen.items()}

    def places(key: Callable[[HoldoutRow], str | int | None]) -> dict[str | int, list[int]]:
        found: defaultdict[str | int, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            if (value := key(row)) is not None:
                found[value].append(place)
        return found

    by_label, by_source = places(lambda row: row.label), places(lambda row: row.source)
    by_month = places(lambda row: f"{row.event_time.astimezone(UTC):%Y-%m}")
    by_window = places(lambda row: row.sequence)
    by_age = places(lambda row: age.get(row.label))
    windows = chosen_windows([int(held) for held in by_window])
    for kind, found, names in (
        ("label", by_label, _largest(by_label, MOST_LABELS)),
        ("source", by_source, _largest(by_source, MOST_OTHERS)),
        ("month", by_month, sorted(by_month, reverse=True)[:MOST_OTHERS]),
        ("window", by_window, windows),
        ("label-age", by_age, by_age),
    ):
        for name in names:
            yield f"{kind}:{name}", found[name]


def age_of(rounds: int) -> str:
    """The name of the age of a label that was first seen so many rounds ago."""
    return next(name for name, least in reversed(AGES) if rounds >= least)


def chosen_windows(sequences: Sequence[int]) -> list[int]:
    """At most `MOST_WINDOWS` of these: the newest, and of older ones the roundest in binary.

    Round after round the same older ones stay, 0 and the multiples of a power of two that doubles
    as the history doubles, so that each has a curve over the rounds.
    """
    newest_first = sorted(set(sequences), reverse=True)
    newest, older = newest_first[: MOST_WINDOWS // 2], newest_first[MOST_WINDOWS // 2 :]
    older.sort(key=lambda number: (-(number & -number) if number else -(2**62), number))
    return sorted([*newest, *older[: MOST_WINDOWS // 2]])


def _largest(found: Mapping[str | int, list[int]], most: int) -> list[str | int]:
    return sorted(found, key=lambda name: (-len(found[name]), str(name)))[:most]
