"""The rows of a file as it has them: JSON lines, CSV or Parquet, packed or not."""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow.parquet as pq

from model.errors import StopError

SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")


class DatasetError(StopError):
    """The file cannot be read at all, or none of its rows can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of a file's columns; all but text and label may be missing from it."""

    text: str = "text"
    label: str = "label"
    id: str = "id"
    task: str = "task"
    event_time: str = "event_time"
    source: str = "source"
    split: str = "split"


def stem(path: Path) -> str:
    """The file's name without its kind."""
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def raw_rows(
    path: Path, columns: Columns, keep: str | None
) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Line and fields of each row, or line and what is wrong with it."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield from _parquet(path, columns, keep)
    elif name.endswith((".jsonl", ".jsonl.gz")):
        with _opened(path) as file:
            yield from _json_lines(file)
    elif name.endswith((".csv", ".csv.gz")):
        with _opened(path) as file:
            yield from _csv(file, path, columns)
    else:
        raise DatasetError(f"{path}: of an unknown kind; known are {', '.join(SUFFIXES)}")


def column_names(path: Path, columns: Columns) -> list[str]:
    """Names of the columns that the file or any of its rows has, as they first appear."""
    if path.name.lower().endswith(".parquet"):
        with pq.ParquetFile(path) as file:
            return list(file.schema_arrow.names)
    held = (row for _, row in raw_rows(path, columns, None) if not isinstance(row, str))
    return list(dict.fromkeys(name for row in held for name in row))


def _opened(path: Path) -> IO[bytes]:
    packed = path.name.lower().endswith(".gz")
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _json_lines(file: IO[bytes]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for line, raw in enumerate(file, start=1):
        if not raw.strip():
            continue
        try:
            value = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
        except ValueError as error:  # a broken encoding is one too
            yield line, f"not JSON: {error}"
            continue
        yield line, value if isinstance(value, dict) else "not a JSON object"


def _csv(
    file: IO[bytes], path: Path, columns: Columns
) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    reader = csv.DictReader(_lines(file, path), strict=True)
    line = 0
    try:
        _check_columns(path, reader.fieldnames or (), columns)
        line = reader.line_num
        for row in reader:
            line = reader.line_num
            if None in row or None in row.values():
                yield line, "another number of fields than the header has"
            else:
                yield line, {name: value or None for name, value in row.items()}
    except csv.Error as error:
        raise DatasetError(
            f"{path}: what follows line {line} is no CSV: {error}{_hint(error)}"
        ) from error


def _lines(file: IO[bytes], path: Path) -> Iterator[str]:
    for line, raw in enumerate(file, start=1):
        try:
            yield raw.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{path}: line {line} is not UTF-8: {error.reason} "
                f"{error.object[error.start : error.end]!r}; save the file as UTF-8"
            ) from error


def _hint(error: csv.Error) -> str:
    quoted = "unexpected end of data" in str(error) or "expected after" in str(error)
    return "; is a quote opened there and not closed?" if quoted else ""


def _parquet(
    path: Path, columns: Columns, keep: str | None
) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        _check_columns(path, names, columns)
        wanted = [name for name in (*_all_columns(columns), keep) if name in names]
        line = 0
        for batch in file.iter_batches(batch_size=4096, columns=wanted):
            for row in batch.to_pylist():
                line += 1
                yield line, row


def _all_columns(columns: Columns) -> tuple[str, ...]:
    return (
        columns.text,
        columns.label,
        columns.id,
        columns.task,
        columns.event_time,
        columns.source,
        columns.split,
    )


def _check_columns(path: Path, names: Sequence[str], columns: Columns) -> None:
    missing = [name for name in (columns.text, columns.label) if name not in names]
    if missing:
        raise DatasetError(f"{path}: no column {' nor '.join(map(repr, missing))}; {_held(names)}")


def _held(names: Sequence[str]) -> str:
    """What columns there are, and where a CSV file seems to separate them otherwise."""
    if not any(names):
        return "it is empty"
    other = next((mark for mark in ";\t|" if len(names) == 1 and mark in names[0]), None)
    if other is not None:
        return f"it has {names[0]} (columns must have commas between, not {other!r})"
    return f"it has {', '.join(names)}; --text-column and --label-column name others"
