"""Makes slices of files: each file is one, or a field's values, or equal stretches of a stream."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from consumers.backtest.held_out import (
    TestSet,
    given_tests,
    held_back,
    of_no_part,
    partly_marked,
    without_marks,
)
from consumers.backtest.parts import Part, by_file, by_value, mark, stretches
from consumers.dataset_files import Columns, DatasetError
from consumers.datasets import LEFT_OUT, Dataset, Order, Row, load_dataset, normalised, read_rows
from model.backtest.slice import Slice
from model.errors import ConfigError


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
    rows_left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows of each file that could not be used; only files that have any."""


def make_slices(options: SliceOptions) -> Sliced:
    """Read the files and cut them into slices with test sets that no plan learns.

    Raises:
        ConfigError: the options do not fit the files.
        DatasetError: a file cannot be used, or a slice would have nothing to learn or to test.
    """
    count = _stretches(options.by)
    if options.by is not None and len(options.files) > 1:
        raise ConfigError(
            f"--slice splits one file, and there are {len(options.files)}: each is a slice already"
        )
    column = None if options.by is None or count else _column(options.by, options.columns)
    datasets = [_load(path, options, column) for path in options.files]
    if len(datasets) > 1:
        datasets = [_numbered(dataset, number) for number, dataset in enumerate(datasets)]
    parts = _parts(datasets, options, column=column, count=count)
    notes = [line for dataset in datasets for line in dataset.complaints()]
    if count and options.order == "shuffle":
        notes.append(f"the slices of {options.by} are cut by chance, as --order shuffle asks")
    tested: list[Dataset] = []
    if options.tests:
        tested, tests, told = _tests(parts, options, column)
        parts, notes = without_marks(parts), notes + told
    else:
        notes += partly_marked(parts)
        parts, tests = held_back(parts, seed=options.seed)
    notes += _left_out(datasets)
    slices = tuple(
        Slice(part.name, tuple(row.labeled for row in part.rows), test)
        for part, test in zip(parts, tests, strict=True)
    )
    _check(slices)
    bad = {f"{each.path}": len(each.bad) for each in (*datasets, *tested) if each.bad}
    return Sliced(slices, (*notes, *_overlaps(slices)), bad)


def _load(path: Path, options: SliceOptions, column: str | None) -> Dataset:
    return load_dataset(
        path,
        columns=options.columns,
        task=options.task,
        seed=options.seed,
        order=options.order,
        keep=column,
    )


def _numbered(dataset: Dataset, number: int) -> Dataset:
    """With the file's place in the ids: two files may count their rows alike.

    Its place, not its path: draws go by the ids, and a stream is the same wherever it lies.
    """
    rows = tuple(
        replace(row, labeled=row.labeled.model_copy(update={"id": f"{number}/{row.labeled.id}"}))
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
    datasets: Sequence[Dataset], options: SliceOptions, *, column: str | None, count: int | None
) -> list[Part]:
    if column is not None:
        return by_value(datasets[0].rows)
    if count is None:
        return by_file(datasets)
    timeless = all(row.labeled.event_time is None for row in datasets[0].rows)
    if timeless and options.order is None:
        raise ConfigError(
            f"--slice is {options.by!r}, and no row of {datasets[0].path} has a time in the column "
            f"{options.columns.event_time!r}: name another with --time-column, or cut the rows as "
            "they stand there with --order given"
        )
    return stretches(datasets[0], count, in_time=options.order in {None, "time"})


def _tests(
    parts: Sequence[Part], options: SliceOptions, column: str | None
) -> tuple[list[Dataset], list[TestSet], list[str]]:
    """The files of the given test sets, the sets, and what a person should know of them.

    One file serves all slices: by the slices' field, or whole where no row of it has that field.
    """
    notes = []
    field = column if len(options.tests) == 1 else None
    if field is not None and not _has(options.tests[0], options.columns, field):
        notes.append(f"{options.tests[0]}: no row has {field}: it is the test set of every slice")
        field = None
    datasets = [_load(path, options, field) for path in options.tests]
    notes += [line for dataset in datasets for line in dataset.complaints()]
    if field is not None:
        notes += of_no_part(parts, datasets[0], field)
    return datasets, given_tests(parts, datasets, by_field=field is not None), notes


def _has(path: Path, columns: Columns, field: str) -> bool:
    return any(isinstance(row, Row) for row in read_rows(path, columns=columns, keep=field))


def _left_out(datasets: Iterable[Dataset]) -> list[str]:
    return [
        f"{dataset.path}: {count} rows of the split valid are neither learned nor tested"
        for dataset in datasets
        if (count := sum(mark(row) in LEFT_OUT for row in dataset.rows))
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
