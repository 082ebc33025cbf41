import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.backtest.slicing import Sliced, SliceOptions, make_slices
from consumers.dataset_files import Columns, DatasetError
from model.errors import ConfigError

Fields = dict[str, Any]


def rows(count: int, **fields: Any) -> list[Fields]:
    return [
        {"text": f"{fields} {number}", "label": f"{number % 2}", **fields}
        for number in range(count)
    ]


def a_file(path: Path, held: Iterable[Fields]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in held), encoding="utf-8")
    return path


def sliced(*files: Path, **options: Any) -> Sliced:
    return make_slices(SliceOptions(files=files, **options))


def names(made: Sliced) -> list[str]:
    return [each.name for each in made.slices]


def learned_texts(made: Sliced) -> list[list[str]]:
    return [[text.text for text in each.train] for each in made.slices]


def test_each_file_is_a_slice_in_the_order_given(tmp_path: Path) -> None:
    second, first = a_file(tmp_path / "b.jsonl", rows(40)), a_file(tmp_path / "a.jsonl", rows(40))

    assert names(sliced(second, first)) == ["b.jsonl", "a.jsonl"]


def test_rows_marked_as_test_are_the_slice_s_test_set_and_valid_ones_are_left_out(
    tmp_path: Path,
) -> None:
    held = rows(20, split="train") + rows(5, split="test") + rows(3, split="valid")
    made = sliced(a_file(tmp_path / "a.jsonl", held))
    (only,) = made.slices

    assert (len(only.train), len(only.test)) == (20, 5)
    assert all("'test'" in text.text for text in only.test)
    assert any("3 rows of the split valid" in note for note in made.notes)


def test_without_test_rows_a_share_of_texts_is_held_out_and_repeats_do_not_leak(
    tmp_path: Path,
) -> None:
    held = rows(400)
    repeats = [{**row, "text": f"  {row['text'].upper()} "} for row in held]
    (only,) = sliced(a_file(tmp_path / "a.jsonl", held + repeats)).slices

    learned = {" ".join(text.text.lower().split()) for text in only.train}
    tested = {" ".join(text.text.lower().split()) for text in only.test}
    assert learned.isdisjoint(tested)
    assert 0.1 < len(only.test) / 800 < 0.2


def test_the_same_seed_holds_out_the_same_texts_and_another_seed_others(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.jsonl", rows(100))

    first, again, other = (sliced(path, seed=seed).slices for seed in (1, 1, 2))
    assert first == again
    assert first[0].test != other[0].test


def test_a_slice_of_a_few_rows_still_has_a_test_text(tmp_path: Path) -> None:
    files = [a_file(tmp_path / f"{name}.jsonl", rows(3, id=None)) for name in "ab"]

    assert all(each.test and each.train for each in sliced(*files).slices)


def test_a_field_splits_one_file_in_order_of_first_appearance(tmp_path: Path) -> None:
    held = [*rows(10, task="bank/cards"), *rows(10, task="travel"), *rows(10, task="bank/cards")]
    made = sliced(a_file(tmp_path / "a.jsonl", held), by="task", order="given")

    assert names(made) == ["bank/cards", "travel"]
    assert {text.task for each in made.slices for text in each.train} == {"backtest"}


def test_a_field_of_any_name_splits_and_a_known_one_is_found_in_its_own_column(
    tmp_path: Path,
) -> None:
    held = [*rows(10, who="ann", mood="x"), *rows(10, who="bob", mood="y")]
    path = a_file(tmp_path / "a.jsonl", held)

    columns = Columns(source="who")
    assert names(sliced(path, by="mood", order="given")) == ["x", "y"]
    assert names(sliced(path, by="source", columns=columns, order="given")) == ["ann", "bob"]


def test_a_row_without_the_field_is_left_out_and_told(tmp_path: Path) -> None:
    made = sliced(a_file(tmp_path / "a.jsonl", [*rows(30, mood="x"), *rows(1)]), by="mood")

    assert names(made) == ["x"]
    assert any("mood: it has none" in note for note in made.notes)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_field_that_no_row_has_is_told_with_the_columns_there_are(
    suffix: str, tmp_path: Path
) -> None:
    held, path = rows(6, source="x"), tmp_path / f"a{suffix}"
    if suffix == ".jsonl":
        a_file(path, held)
    elif suffix == ".csv":
        path.write_text("\n".join(["text,label,source", *("a,0,x" for _ in held)]), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(held), path)

    with pytest.raises(DatasetError) as told:
        sliced(path, by="sorce")
    assert str(told.value) == (
        f"{path}: no column 'sorce'; there are text, label, source; is source meant?"
    )


def test_time_slices_are_equal_parts_in_time_order(tmp_path: Path) -> None:
    held = [{**row, "event_time": 1_700_000_000 + n} for n, row in enumerate(rows(40))]
    tests = a_file(tmp_path / "t.jsonl", rows(4, set="test"))
    made = sliced(a_file(tmp_path / "a.jsonl", reversed(held)), by="time:4", tests=(tests,))

    assert names(made) == ["1/4", "2/4", "3/4", "4/4"]
    texts = [text for each in learned_texts(made) for text in each]
    assert texts == [row["text"] for row in held]
    assert [len(each.train) for each in made.slices] == [10] * 4
    assert all(len(each.test) == 4 for each in made.slices)


def timed(times: Iterable[int], **fields: Any) -> list[Fields]:
    """A row for each time, in days."""
    days = list(times)
    return [
        {**row, "event_time": 1_700_000_000 + 86_400 * day}
        for row, day in zip(rows(len(days), **fields), days, strict=True)
    ]


@pytest.mark.parametrize("order", [None, "time"])
def test_rows_marked_as_test_are_of_the_slice_of_their_time(
    tmp_path: Path, order: str | None
) -> None:
    held = [*timed(range(40)), *timed([-5, 0, 9, 10, 11, 39, 99], split="test")]
    made = sliced(a_file(tmp_path / "a.jsonl", held), by="time:4", order=order)

    first, second, third, fourth = made.slices
    assert [len(each.train) for each in (first, second, fourth)] == [10] * 3
    assert [len(each.test) for each in (first, second, fourth)] == [3, 2, 2]
    assert not any("'test'" in text.text for text in third.test)
    assert "no row of 3/4 is marked as test: a seeded 15% of each is held out" in made.notes


def test_a_row_marked_as_test_without_a_time_is_of_one_slice_of_time(tmp_path: Path) -> None:
    held = [*rows(1, split="test"), *timed(range(40)), *timed(range(40), split="test")]
    made = sliced(a_file(tmp_path / "a.jsonl", held), by="time:4")

    assert sum(len(each.test) for each in made.slices) == 41


def test_rows_marked_as_test_are_cut_as_equally_where_the_slices_are_not_of_time(
    tmp_path: Path,
) -> None:
    held = [*timed(range(40)), *rows(8, split="test")]
    made = sliced(a_file(tmp_path / "a.jsonl", held), by="time:4", order="given")

    assert [len(each.test) for each in made.slices] == [2] * 4


def test_without_times_there_are_no_slices_of_time_unless_rows_are_taken_as_they_stand(
    tmp_path: Path,
) -> None:
    path = a_file(tmp_path / "a.jsonl", [{**row, "timestamp": 5} for row in rows(40)])

    with pytest.raises(ConfigError, match=r"'event_time': name another with --time-column, or cut"):
        sliced(path, by="time:4")
    with pytest.raises(DatasetError, match=r"'event_time'; --time-column names another"):
        sliced(path, by="time:4", order="time")
    assert names(sliced(path, by="time:4", columns=Columns(event_time="timestamp")))
    tests = a_file(tmp_path / "t.jsonl", rows(4, set="test"))
    texts = learned_texts(sliced(path, by="time:2", order="given", tests=(tests,)))
    assert texts == [[row["text"] for row in part] for part in (rows(40)[:20], rows(40)[20:])]


def test_slices_of_time_that_are_shuffled_are_told_to_be_by_chance(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.jsonl", timed(range(40)))

    assert any("by chance" in note for note in sliced(path, by="time:4", order="shuffle").notes)
    assert not sliced(path, by="time:4").notes


@pytest.mark.parametrize("by", ["time:0", "time:many", "time:"])
def test_a_number_of_time_slices_must_be_whole(tmp_path: Path, by: str) -> None:
    with pytest.raises(ConfigError, match="time:N"):
        sliced(a_file(tmp_path / "a.jsonl", rows(10)), by=by)


def test_one_test_file_a_slice_or_one_for_all_and_no_other_number(tmp_path: Path) -> None:
    files = [a_file(tmp_path / f"{name}.jsonl", rows(20, of=name)) for name in "abc"]
    tests = [a_file(tmp_path / f"t{name}.jsonl", rows(2, test=name)) for name in "abc"]

    each = sliced(*files, tests=tuple(tests))
    assert [part.test[0].text[:13] for part in each.slices] == [f"{{'test': '{n}'}}" for n in "abc"]
    one = sliced(*files, tests=(tests[0],))
    assert len({part.test for part in one.slices}) == 1
    with pytest.raises(ConfigError, match="2 test files for 3 slices"):
        sliced(*files, tests=tuple(tests[:2]))


def test_ids_that_two_files_share_are_two_records(tmp_path: Path) -> None:
    files = [
        a_file(tmp_path / f"{name}.jsonl", [{**row, "id": f"{n}"} for n, row in enumerate(held)])
        for name, held in (("a", rows(20, of="a")), ("b", rows(20, of="b")))
    ]

    ids = [text.id for each in sliced(*files).slices for text in (*each.train, *each.test)]
    assert len(set(ids)) == 40


def test_a_stream_has_the_same_ids_wherever_its_files_lie(tmp_path: Path) -> None:
    held: list[list[str | None]] = []
    for folder in (tmp_path / "here", tmp_path / "elsewhere"):
        folder.mkdir()
        files = [a_file(folder / f"{name}.jsonl", rows(20, of=name)) for name in "ab"]
        held.append([text.id for each in sliced(*files).slices for text in each.train])
    assert held[0] == held[1]


def test_a_slice_without_training_rows_is_an_error(tmp_path: Path) -> None:
    files = [
        a_file(tmp_path / "a.jsonl", rows(9)),
        a_file(tmp_path / "b.jsonl", rows(9, split="test")),
    ]

    with pytest.raises(DatasetError, match=r"slice b\.jsonl has no records to learn"):
        sliced(*files)


def test_one_label_only_is_an_error(tmp_path: Path) -> None:
    held = [{**row, "label": "up"} for row in rows(20)]

    with pytest.raises(DatasetError, match="every record has the label 'up'"):
        sliced(a_file(tmp_path / "a.jsonl", held))


def test_a_time_order_needs_a_time(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no row has a time"):
        sliced(a_file(tmp_path / "a.jsonl", rows(20)), order="time")


def test_several_files_and_a_field_are_an_error(tmp_path: Path) -> None:
    files = [a_file(tmp_path / f"{name}.jsonl", rows(9)) for name in "ab"]

    with pytest.raises(ConfigError, match="--slice splits one file"):
        sliced(*files, by="label")


def test_test_texts_that_are_also_learned_are_told(tmp_path: Path) -> None:
    held = rows(20)
    made = sliced(
        a_file(tmp_path / "a.jsonl", held), tests=(a_file(tmp_path / "t.jsonl", held[:3]),)
    )

    assert any(note.startswith("3 test texts are also learned") for note in made.notes)
