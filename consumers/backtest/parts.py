"""The parts of a stream, test rows among them: a file each, a field's values, stretches of time."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.dataset_files import DatasetError
from consumers.datasets import TEST, Dataset, Row


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one slice, in stream order."""

    name: str
    rows: tuple[Row, ...]


def mark(row: Row) -> str:
    """What the file says of a row: of the training, the test or the validation set."""
    return (row.split or "").strip().lower()


def by_file(datasets: Sequence[Dataset]) -> list[Part]:
    """One part for each file, under its name."""
    names = [dataset.path.name for dataset in datasets]
    return [
        Part(name if names.count(name) == 1 else f"{number}:{name}", dataset.rows)
        for number, (name, dataset) in enumerate(zip(names, datasets, strict=True), start=1)
    ]


def by_value(rows: Sequence[Row]) -> list[Part]:
    """One part for each value, in the order in which they first appear in the stream."""
    held: dict[str, list[Row]] = {}
    for row in rows:
        held.setdefault(row.kept or "", []).append(row)
    return [Part(name, tuple(members)) for name, members in held.items()]


def stretches(dataset: Dataset, count: int, *, in_time: bool) -> list[Part]:
    """Equal stretches of the learned rows, each with the rows marked as test that belong to it.

    Those are of its time, from its first learned row to that of the next, where the stream is in
    time order; the first takes older ones too, the last newer ones. Else they are cut as equally.

    Raises:
        DatasetError: there are fewer rows than stretches.
    """
    marked = [row for row in dataset.rows if mark(row) in TEST]
    learned = [row for row in dataset.rows if mark(row) not in TEST]
    if len(learned) < count:
        raise DatasetError(f"{dataset.path}: {len(learned)} rows cannot be cut into {count} slices")
    cut = _equal_parts(learned, count)
    tests = _of_their_times(dataset.rows, marked, cut) if in_time else _equal_parts(marked, count)
    return [
        Part(f"{number}/{count}", (*rows, *held))
        for number, (rows, held) in enumerate(zip(cut, tests, strict=True), start=1)
    ]


def _equal_parts(rows: Sequence[Row], count: int) -> list[Sequence[Row]]:
    cuts = [len(rows) * number // count for number in range(count + 1)]
    return [rows[start:end] for start, end in itertools.pairwise(cuts)]


def _of_their_times(
    stream: Sequence[Row], marked: Sequence[Row], cut: Sequence[Sequence[Row]]
) -> list[Sequence[Row]]:
    times = _times(stream)
    starts = [times[rows[0].line] for rows in cut[1:]]
    tests: list[list[Row]] = [[] for _ in cut]
    for row in marked:
        tests[bisect_right(starts, times[row.line])].append(row)
    return list(tests)


def _times(stream: Sequence[Row]) -> dict[int, datetime]:
    """The time of each row, by its line; one without has that of the row before it."""
    given = [row.labeled.event_time for row in stream]
    latest = next(time for time in given if time is not None)
    times = {}
    for row, time in zip(stream, given, strict=True):
        latest = time or latest
        times[row.line] = latest
    return times
