import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.dataset_files import Columns, DatasetError
from consumers.datasets import Row, load_dataset, normalised, task_name
from consumers.event_times import parse_time

ROWS = [{"text": f"headline {n}", "label": "good" if n % 2 else "bad"} for n in range(20)]


def jsonl(path: Path, rows: Iterable[Any]) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    text = "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def texts(rows: Iterable[Row]) -> list[str]:
    return [row.labeled.text for row in rows]


@pytest.mark.parametrize("name", ["n.jsonl", "n.jsonl.gz", "n.csv", "n.csv.gz", "n.parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if "jsonl" in name:
        jsonl(path, ROWS)
    elif name == "n.parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        lines = "text,label\r\n" + "".join(f"{row['text']},{row['label']}\r\n" for row in ROWS)
        raw = lines.encode("utf-8-sig")  # as a spreadsheet writes it
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    dataset = load_dataset(path)
    assert sorted(texts(dataset.rows)) == sorted(row["text"] for row in ROWS)
    assert {row.labeled.label for row in dataset.rows} == {"good", "bad"}
    assert {row.labeled.task for row in dataset.rows} == {"n"}
    assert not dataset.bad


def test_rows_without_times_are_shuffled_by_the_seed(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", ROWS)
    first = texts(load_dataset(path, seed=1).rows)
    assert first == texts(load_dataset(path, seed=1).rows)
    assert first != texts(load_dataset(path, seed=2).rows)
    assert first != [row["text"] for row in ROWS]


def test_rows_with_times_stream_in_time_order(tmp_path: Path) -> None:
    rows = [{**row, "event_time": 1_700_000_000 - n} for n, row in enumerate(ROWS)]
    dataset = load_dataset(jsonl(tmp_path / "a.jsonl", rows))
    assert texts(dataset.rows) == [row["text"] for row in reversed(ROWS)]


def test_rows_lacking_a_time_fall_between_those_that_have_one(tmp_path: Path) -> None:
    rows = [{**row, "event_time": n if n % 2 else None} for n, row in enumerate(ROWS)]
    dataset = load_dataset(jsonl(tmp_path / "a.jsonl", rows))
    times = [row.labeled.event_time for row in dataset.rows if row.labeled.event_time]
    assert len(dataset.rows) == len(ROWS)
    assert times == sorted(times)


def test_an_absent_id_is_made_of_file_and_line(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", ["", json.dumps({"text": "x", "label": "y"})])
    assert load_dataset(path).rows[0].labeled.id == "a.jsonl:2"


def test_where_rows_join_a_stream_an_absent_id_tells_texts_apart(tmp_path: Path) -> None:
    held: list[str | None] = []
    for day, text in (("mon", "up"), ("tue", "down"), ("mon-again", "up")):
        (tmp_path / day).mkdir()
        path = jsonl(tmp_path / day / "daily.jsonl", [{"text": text, "label": "y"}])
        held.append(load_dataset(path, text_in_ids=True).rows[0].labeled.id)
    assert held[0] == held[2] != held[1]
    path = jsonl(tmp_path / "b.jsonl", [{"id": "7", "text": "x", "label": "y"}])
    assert load_dataset(path, text_in_ids=True).rows[0].labeled.id == "7"


def test_a_long_file_name_leaves_ids_short_enough(tmp_path: Path) -> None:
    path = jsonl(tmp_path / f"{'a' * 240}.jsonl", ROWS)
    dataset = load_dataset(path, text_in_ids=True)
    assert len(dataset.rows) == len({row.labeled.id for row in dataset.rows}) == len(ROWS)
    assert all(len(row.labeled.id or "") <= 200 for row in dataset.rows)


def test_columns_that_no_comma_parts_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text;label\nx;y\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="must have commas between, not ';'"):
        load_dataset(path)


def test_other_columns_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("body,stars,when,topic\nfine,5,2024-02-01T10:00:00Z,books\n", encoding="utf-8")
    columns = Columns(text="body", label="stars", event_time="when", task="topic")
    labeled = load_dataset(path, columns=columns).rows[0].labeled
    assert (labeled.text, labeled.label, labeled.task) == ("fine", "5", "books")
    assert labeled.event_time == datetime(2024, 2, 1, 10, tzinfo=UTC)


def test_a_task_that_is_asked_for_wins_over_the_column(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"text": "x", "label": "y", "task": "z"}])
    assert load_dataset(path, task="mine").rows[0].labeled.task == "mine"


def test_bad_rows_are_left_out_and_told_with_their_line(tmp_path: Path) -> None:
    bad = ["{", "[1]", {"text": " ", "label": "y"}, {"text": "x", "label": None}]
    bad.append({"text": "x", "label": "y", "event_time": "yesterday"})
    dataset = load_dataset(jsonl(tmp_path / "a.jsonl", [{"text": "x", "label": "y"}, *bad]))
    assert len(dataset.rows) == 1
    assert [row.line for row in dataset.bad] == [2, 3, 4, 5, 6]
    assert "a.jsonl:2: left out: not JSON" in dataset.complaints()[0]
    assert "text: must not be empty" in dataset.complaints()[2]
    assert "event_time" in dataset.complaints()[4]


def test_no_line_hides_a_single_bad_row(tmp_path: Path) -> None:
    dataset = load_dataset(jsonl(tmp_path / "a.jsonl", [*ROWS, *["nope"] * 6]))
    assert len(dataset.complaints()) == 6
    assert ":26: left out" in dataset.complaints()[-1]


def test_many_bad_rows_are_told_in_a_few_lines(tmp_path: Path) -> None:
    dataset = load_dataset(jsonl(tmp_path / "a.jsonl", [*ROWS, *["nope"] * 30]))
    assert dataset.complaints()[-1].endswith("25 more rows left out")
    assert len(dataset.complaints()) == 6


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"x", "of an unknown kind; known are .jsonl"),
        ("a.csv", b"body,label\nx,y\n", "'text'; it has body, label; --text-column and --label"),
        (
            "a.csv",
            b'text,label\na,b\n"c,d\ne,f\n',
            "follows line 2 is no CSV: .*is a quote opened there",
        ),
        (
            "a.csv",
            b"text,label\na,b\ncaf\xe9,d\n",
            "line 3 is not UTF-8: .*xe9'; save the file as UTF-8",
        ),
        ("a.csv", b"\xef\xbb\xbfcaf\xe9,label\n", "line 1 is not UTF-8: .*b'.xe9'; save"),
        ("a.csv", b'"text,label\na,b\n', "follows line 0 is no CSV: .*is a quote opened there"),
        ("a.csv", b"", "nor 'label'; it is empty$"),
        ("a.jsonl", b"\n", "no row can be used"),
        ("a.jsonl", b"{}\n", "first fault is in line 1: text"),
        ("a.jsonl.gz", b"not gzip", "cannot be read"),
        ("a.parquet", b"not parquet", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=told):
        load_dataset(tmp_path / name)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.jsonl: cannot be read: .*No such file"):
        load_dataset(tmp_path / "none.jsonl")


def test_labels_of_other_types_become_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "label": [True, False]}), path)
    assert {row.labeled.label for row in load_dataset(path).rows} == {"true", "false"}


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-02T03:04:05",
        "2024-01-02T03:04:05Z",
        "2024-01-02T05:04:05+02:00",
        1704164645,
        1704164645.0,
        "1704164645",
        1704164645000,
        1704164645000000,
        1704164645000000000,
        datetime(2024, 1, 2, 3, 4, 5),
    ],
)
def test_times_come_as_iso_or_epoch_and_naive_ones_are_utc(value: Any) -> None:
    assert parse_time(value) == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "  ", float("nan")])
def test_no_time_is_none(value: Any) -> None:
    assert parse_time(value) is None


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("My Reviews (2).csv.gz", "my-reviews-2"),
        ("financial_phrasebank_50agree.jsonl.gz", "financial_phrasebank_50agree"),
        ("---.csv", "task"),
    ],
)
def test_a_task_name_is_made_of_the_file_name(name: str, task: str) -> None:
    assert task_name(Path("/somewhere") / name) == task


def test_repeats_are_equal_once_normalised() -> None:
    assert normalised("  Profit\tROSE ") == normalised("profit rose")
