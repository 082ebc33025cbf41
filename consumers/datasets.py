"""Labeled texts from a file (JSON lines, CSV, Parquet), in the order in which to stream them.

A row that cannot be used is told with its line and left out; a file that cannot be used is an
error. Rows stream in time order where they carry a time, else shuffled by a seed.
"""

import hashlib
import random
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import ValidationError

from consumers.dataset_files import Columns, DatasetError, column_names, raw_rows, stem
from consumers.event_times import parse_time
from model.spelling import meant
from schemas.base import TASK_NAME
from schemas.labeled_text import LabeledText

TEST, LEFT_OUT = frozenset({"test"}), frozenset({"valid", "validation", "dev"})
"""A file's own marks (`split`): rows of a test set, and rows that are neither learned nor asked."""

_NAME_CHARS = 150
"""Most of a file's name in an id: its end, so that the id is within the schema's limit."""

Order = Literal["given", "time", "shuffle"]
"""How the rows of a file follow each other: as they stand there, by their times, or by chance."""


@dataclass(frozen=True, slots=True)
class Row:
    """A usable row: what travels, and beside it the file's own train or test mark."""

    labeled: LabeledText
    line: int
    split: str | None = None
    kept: str | None = None
    """The field that was asked for, as text."""
    named: bool = False
    """Whether the file gives its id."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its line (in Parquet its row), from 1, and what is wrong."""

    line: int
    problem: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A file's usable rows in the order in which to stream them, and those left out."""

    path: Path
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]

    def complaints(self, *, most: int = 5) -> list[str]:
        """One line a bad row; beyond `most`, one line counts the rest, if they are several."""
        shown = self.bad if len(self.bad) == most + 1 else self.bad[:most]
        lines = [f"{self.path}:{row.line}: left out: {row.problem}" for row in shown]
        rest = len(self.bad) - len(shown)
        return [*lines, f"{self.path}: {rest} more rows left out"] if rest > 0 else lines


def load_dataset(
    path: Path,
    *,
    columns: Columns | None = None,
    task: str | None = None,
    seed: int = 0,
    order: Order | None = None,
    keep: str | None = None,
    text_in_ids: bool = False,
) -> Dataset:
    """Read a whole file; `task` overrides the file's own, `keep` names a field to keep of each row.

    A row without an id is named by file name and line. Where the rows join a stream that other
    files join too, a digest of the text belongs to it (`text_in_ids`): another day's file of the
    same name brings other records, and the same file again the same ones.

    Raises:
        DatasetError: the file cannot be read, lacks a column, or no row of it can be used.
    """
    rows: list[Row] = []
    bad: list[BadRow] = []
    columns = columns or Columns()
    for row in read_rows(path, columns=columns, task=task, keep=keep):
        (rows if isinstance(row, Row) else bad).append(row)  # type: ignore[arg-type]
    if not rows:
        raise DatasetError(f"{path}: {_unusable(path, bad, columns, keep)}")
    if order == "time" and all(row.labeled.event_time is None for row in rows):
        raise DatasetError(
            f"{path}: no row has a time to be ordered by in the column {columns.event_time!r}; "
            "--time-column names another"
        )
    if text_in_ids:
        rows = [row if row.named else _naming_text(row) for row in rows]
    return Dataset(path, tuple(in_stream_order(rows, seed=seed, order=order)), tuple(bad))


def read_rows(
    path: Path, *, columns: Columns, task: str | None = None, keep: str | None = None
) -> Iterator[Row | BadRow]:
    """Each row of the file in its own order, lazily, the unusable ones as `BadRow`.

    Raises:
        DatasetError: the file cannot be read or lacks the column of the texts or labels.
    """
    fallback = task_name(path)
    try:
        for line, raw in raw_rows(path, columns, keep):
            if isinstance(raw, str):
                yield BadRow(line, raw)
            else:
                row = _parsed(raw, line, path=path, columns=columns, task=task, fallback=fallback)
                yield row if keep is None or isinstance(row, BadRow) else _keeping(row, raw, keep)
    except (OSError, EOFError, zlib.error, pa.ArrowException, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(f"{path}: cannot be read: {why}") from error


def in_stream_order(rows: Iterable[Row], *, seed: int, order: Order | None = None) -> list[Row]:
    """In time order where there is a time, else shuffled, unless an order is asked for.

    Timeless rows among others with a time fall between these at random.
    """
    given = sorted(rows, key=lambda row: row.line)
    draw = random.Random(seed)  # noqa: S311 - an order, not a secret
    times = [row.labeled.event_time for row in given if row.labeled.event_time is not None]
    if order == "given":
        return given
    if order == "shuffle" or not times:
        draw.shuffle(given)
        return given
    return sorted(given, key=lambda row: row.labeled.event_time or draw.choice(times))


def task_name(path: Path) -> str:
    """A valid task name made of the file's name: `My Reviews.csv.gz` is `my-reviews`."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", stem(path).lower()).strip("._-")[:100]
    return slug if TASK_NAME.fullmatch(slug) else "task"


def normalised(text: str) -> str:
    """The text without differences of case, width and spacing: repeats compare equal."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _parsed(
    raw: Mapping[str, Any],
    line: int,
    *,
    path: Path,
    columns: Columns,
    task: str | None,
    fallback: str,
) -> Row | BadRow:
    given = raw.get(columns.id)
    split = raw.get(columns.split)
    try:
        labeled = LabeledText(
            id=f"{path.name[-_NAME_CHARS:]}:{line}" if given is None else given,
            task=task or raw.get(columns.task) or fallback,
            text=raw.get(columns.text),
            label=_label(raw.get(columns.label)),
            event_time=parse_time(raw.get(columns.event_time)),
            source=raw.get(columns.source) or stem(path)[:200],
        )
    except ValidationError as error:
        return BadRow(line, "; ".join(_fault(fault, columns) for fault in error.errors()))
    except (ValueError, OverflowError, OSError) as error:  # of the time
        return BadRow(line, f"{columns.event_time}: {error}")
    return Row(labeled, line, None if split is None else str(split), named=given is not None)


def _naming_text(row: Row) -> Row:
    text = row.labeled.text.encode(errors="surrogatepass")
    digest = hashlib.blake2b(text, digest_size=6).hexdigest()
    new = row.labeled.model_copy(update={"id": f"{row.labeled.id}:{digest}"})
    return replace(row, labeled=new)


def _unusable(path: Path, bad: Sequence[BadRow], columns: Columns, keep: str | None) -> str:
    """Why there is no row: no column to keep, or what is wrong with the first."""
    names = [] if keep is None else column_names(path, columns)
    if keep is not None and names and keep not in names:
        return f"no column {keep!r}; there are {', '.join(names)}{meant(keep, names)}"
    first = f"; the first fault is in line {bad[0].line}: {bad[0].problem}" if bad else ""
    return f"no row can be used, of {len(bad)}{first}"


def _keeping(row: Row, raw: Mapping[str, Any], field: str) -> Row | BadRow:
    value = raw.get(field)
    if value is None or value == "":
        return BadRow(row.line, f"{field}: it has none, and slices are made of it")
    return replace(row, kept=str(value))


def _label(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _fault(fault: Any, columns: Columns) -> str:
    field = str(fault["loc"][0])
    column = getattr(columns, field, field)
    return f"{column}: {fault['msg'].removeprefix('Value error, ')} (it is {fault['input']!r:.80})"
