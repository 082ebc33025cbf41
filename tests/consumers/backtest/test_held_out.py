from pathlib import Path

from tests.consumers.backtest.test_slicing import a_file, names, rows, sliced


def test_one_test_file_is_split_by_the_field_and_what_fits_no_slice_is_told(tmp_path: Path) -> None:
    learned = a_file(tmp_path / "a.jsonl", [*rows(9, of="x"), *rows(9, of="y")])
    held = [*rows(3, of="x"), *rows(2, of="z"), *rows(2, of="y"), *rows(1), {"text": "no label"}]
    tests = a_file(tmp_path / "t.jsonl", held)
    made = sliced(learned, by="of", order="given", tests=(tests,))

    assert names(made) == ["x", "y"]
    assert [len(each.test) for each in made.slices] == [3, 2]
    told = "\n".join(made.notes)
    assert f"{tests}:4: left out, the first of 2 of no learned slice: of is 'z'" in told
    assert f"{tests}:8: left out: of: it has none" in told
    assert f"{tests}:9: left out: label: " in told


def test_one_test_file_without_the_field_is_the_test_set_of_every_slice(tmp_path: Path) -> None:
    learned = a_file(tmp_path / "a.jsonl", [*rows(9, of="x"), *rows(9, of="y")])
    tests = a_file(tmp_path / "t.jsonl", rows(4))
    made = sliced(learned, by="of", order="given", tests=(tests,))

    assert [len(each.test) for each in made.slices] == [4, 4]
    assert f"{tests}: no row has of: it is the test set of every slice" in made.notes


def test_bad_rows_of_every_test_file_are_told(tmp_path: Path) -> None:
    files = [a_file(tmp_path / f"{name}.jsonl", rows(9, of=name)) for name in "ab"]
    tests = [a_file(tmp_path / f"t{n}.jsonl", [*rows(2, t=n), {"text": "?"}]) for n in "ab"]
    made = sliced(*files, tests=tuple(tests))

    assert all(any(note.startswith(f"{path}:3: ") for note in made.notes) for path in tests)
