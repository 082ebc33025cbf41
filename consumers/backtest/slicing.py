"""Makes slices of files: each file is one, or a field's values, or equal stretches of a stream."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from consumers.dataset_files import Columns, DatasetError
from consumers.datasets import LEFT_OUT, TEST, Dataset, Order, Row, load_dataset, normalised
from model.backtest.stream import Slice
from model.errors import ConfigError
from schemas.labeled_text import LabeledText

TEST_SHARE = 0.15
"""Held out of a slice that brings no test rows of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceOptions:
    """How files become slices."""

    files: tuple[Path, ...]
    tests: tuple[Path, ...] = ()
    """Test sets: one for each slice in their order, or one for all."""
    by: str | None = None
    """A field, or `time:N`."""
    order: Order | None = None
    columns: Columns = field(default_factory=Columns)
    task: str = "backtest"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Sliced:
    """The slices, and what a person should know of how they came about."""

    slices: tuple[Slice, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one slice, in stream order."""

    name: str
    rows: tuple[Row, ...]


def make_slices(options: SliceOptions) -> Sliced:
    """Read the files and cut them into slices with test sets that no plan learns.

    Raises:
        ConfigError: the options do not fit the files.
        DatasetError: a file cannot be used, or a slice would have nothing to learn or to test.
    """
    stretches = _stretches(options.by)
    if options.by is not None and len(options.files) > 1:
        raise ConfigError(
            f"--slice splits one file, and there are {len(options.files)}: each is a slice already"
        )
    column = None if options.by is None or stretches else _column(options.by, options.columns)
    datasets = [_load(path, options, column) for path in options.files]
    parts = _parts(datasets, column=column, stretches=stretches)
    notes = [line for dataset in datasets for line in dataset.complaints()]
    if options.tests:
        parts, tests = _without_marks(parts), _tests(parts, options, column)
    else:
        parts, tests = _held_back(parts, seed=options.seed)
    notes += _left_out(datasets)
    slices = tuple(
        Slice(part.name, tuple(row.labeled for row in part.rows), test)
        for part, test in zip(parts, tests, strict=True)
    )
    _check(slices)
    return Sliced(slices, (*notes, *_overlaps(slices)))


def _load(path: Path, options: SliceOptions, column: str | None) -> Dataset:
    dataset = load_dataset(
        path,
        columns=options.columns,
        task=options.task,
        seed=options.seed,
        order=options.order,
        keep=column,
    )
    if len(options.files) + len(options.tests) == 1:
        return dataset
    # Two files may count their rows alike: the same id in another file is another record.
    mark = hashlib.sha256(str(path).encode(errors="replace")).hexdigest()[:8]
    rows = tuple(
        replace(row, labeled=row.labeled.model_copy(update={"id": f"{mark}/{row.labeled.id}"}))
        for row in dataset.rows
    )
    return replace(dataset, rows=rows)


def _stretches(by: str | None) -> int | None:
    if by is None or not by.startswith("time:"):
        return None
    number = by.removeprefix("time:")
    if not number.isdecimal() or int(number) < 1:
        raise ConfigError(f"--slice is {by!r}: time:N takes a whole number of slices, 1 or more")
    return int(number)


def _column(field: str, columns: Columns) -> str:
    """A field's column: `source` is the column of the sources, whatever it is called."""
    return getattr(columns, field, field)


def _parts(
    datasets: Sequence[Dataset], *, column: str | None, stretches: int | None
) -> list[_Part]:
    if column is not None:
        return _by_value(datasets[0].rows)
    if stretches is not None:
        return _by_time(datasets[0], stretches)
    names = _distinct([dataset.path.name for dataset in datasets])
    return [_Part(name, dataset.rows) for name, dataset in zip(names, datasets, strict=True)]


def _by_value(rows: Sequence[Row]) -> list[_Part]:
    """One slice for each value, in the order in which they first appear in the stream."""
    held: dict[str, list[Row]] = {}
    for row in rows:
        held.setdefault(row.kept or "", []).append(row)
    return [_Part(name, tuple(members)) for name, members in held.items()]


def _by_time(dataset: Dataset, count: int) -> list[_Part]:
    """Equal stretches of the stream, and beside them equal ones of the rows marked as test."""
    marked = [row for row in dataset.rows if _mark(row) in TEST]
    learned = [row for row in dataset.rows if _mark(row) not in TEST]
    if len(learned) < count:
        raise DatasetError(f"{dataset.path}: {len(learned)} rows cannot be cut into {count} slices")
    return [
        _Part(f"{number + 1}/{count}", (*rows, *tests))
        for number, (rows, tests) in enumerate(
            zip(_equal_parts(learned, count), _equal_parts(marked, count), strict=True)
        )
    ]


def _equal_parts(rows: Sequence[Row], count: int) -> list[Sequence[Row]]:
    cuts = [len(rows) * number // count for number in range(count + 1)]
    return [rows[start:end] for start, end in itertools.pairwise(cuts)]


def _distinct(names: Sequence[str]) -> list[str]:
    return [
        name if names.count(name) == 1 else f"{number}:{name}"
        for number, name in enumerate(names, start=1)
    ]


def _held_back(
    parts: Sequence[_Part], *, seed: int
) -> tuple[list[_Part], list[tuple[LabeledText, ...]]]:
    """Each part's own test rows, else a share of its texts by a hash that repeats agree on."""
    learned, tests = [], []
    for part in parts:
        own = tuple(row for row in part.rows if _mark(row) in TEST)
        rest = tuple(row for row in part.rows if _mark(row) not in TEST | LEFT_OUT)
        if not own:
            own, rest = _by_hash(rest, seed=seed)
        learned.append(replace(part, rows=rest))
        tests.append(tuple(row.labeled for row in own))
    return learned, tests


def _by_hash(rows: Sequence[Row], *, seed: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    drawn = {row.line: _drawn(row.labeled.text, seed=seed) for row in rows}
    limit = max(TEST_SHARE, min(drawn.values(), default=0.0))  # one text at least
    test = tuple(row for row in rows if drawn[row.line] <= limit)
    return test, tuple(row for row in rows if drawn[row.line] > limit)


def _drawn(text: str, *, seed: int) -> float:
    """Uniform on [0, 1), by the normalised text under the seed."""
    key = hashlib.sha256(f"{seed}\n{normalised(text)}".encode(errors="replace"))
    return int.from_bytes(key.digest()[:8], "big") / 2**64


def _without_marks(parts: Iterable[_Part]) -> list[_Part]:
    """Where test sets are given, rows that the file marks as test or valid are not learned."""
    return [
        replace(part, rows=tuple(row for row in part.rows if _mark(row) not in TEST | LEFT_OUT))
        for part in parts
    ]


def _tests(
    parts: Sequence[_Part], options: SliceOptions, column: str | None
) -> list[tuple[LabeledText, ...]]:
    """The given test sets, one a slice; one file serves all, by the slices' field where it can."""
    if len(options.tests) == 1:
        held = _load(options.tests[0], options, column).rows
        by_name = {part.name: part.rows for part in _by_value(held)} if column else {}
        rows = [by_name.get(part.name, ()) if column else held for part in parts]
    elif len(options.tests) == len(parts):
        rows = [_load(path, options, None).rows for path in options.tests]
    else:
        names = ", ".join(part.name for part in parts)
        raise ConfigError(
            f"{len(options.tests)} test files for {len(parts)} slices ({names}): "
            "give one for each in their order, or one for all"
        )
    return [tuple(row.labeled for row in each) for each in rows]


def _mark(row: Row) -> str:
    return (row.split or "").strip().lower()


def _left_out(datasets: Iterable[Dataset]) -> list[str]:
    return [
        f"{dataset.path}: {count} rows of the split valid are neither learned nor tested"
        for dataset in datasets
        if (count := sum(_mark(row) in LEFT_OUT for row in dataset.rows))
    ]


def _check(slices: Sequence[Slice]) -> None:
    for each in slices:
        for what, held in (("to learn", each.train), ("to test", each.test)):
            if not held:
                raise DatasetError(f"slice {each.name} has no records {what}")
    labels = {text.label for each in slices for text in each.train}
    if len(labels) < 2:
        raise DatasetError(
            f"every record has the label {next(iter(labels))!r}: there is nothing to tell apart"
        )


def _overlaps(slices: Sequence[Slice]) -> list[str]:
    learned = {normalised(text.text) for each in slices for text in each.train}
    shared = {normalised(text.text) for each in slices for text in each.test} & learned
    if not shared:
        return []
    return [f"{len(shared)} test texts are also learned: what the table says flatters every plan"]
