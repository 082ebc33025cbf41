"""The file of tasks: what it says of each, and every fault in it at once."""

from pathlib import Path

import pytest

from consumers.tasks_file import read_tasks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.yaml"


def faults(path: Path, text: str) -> list[str]:
    """Of a file with this text, without its name."""
    path.write_text(text, encoding="utf-8")
    _, found = read_tasks(path)
    assert all(fault.startswith(f"{path}: ") for fault in found)
    return [fault.removeprefix(f"{path}: ") for fault in found]


def test_a_task_has_the_defaults_and_what_differs_from_them(path: Path) -> None:
    assert not faults(path, "defaults: {window: {records: 9}}\ntasks: {news: {mode: offline}, a: }")
    file, _ = read_tasks(path)
    assert file.merged("news") == {"window": {"records": 9}, "mode": "offline"}
    assert file.merged("a") == file.merged("unknown") == {"window": {"records": 9}}


def test_a_fault_of_the_structure_hides_none_inside_the_sections(path: Path) -> None:
    found = faults(
        path,
        "task: {}\n"
        "defaults: {window: {records: 0}}\n"
        "tasks:\n"
        "  Tickets: {window: {record: 5}}\n"
        "  news: {mode: sometimes}\n"
        "  mood: 7\n",
    )
    starts = [
        "tasks.Tickets.[key]: String should match pattern",
        "tasks.mood: Input should be a valid dictionary",
        "task: Extra inputs are not permitted",
        "defaults: window.records: ",
        "Tickets: window.record: Extra inputs are not permitted",
        "news: mode: ",
    ]
    assert len(found) == len(starts)
    assert all(any(fault.startswith(start) for fault in found) for start in starts)
    assert [fault for fault in found if fault.endswith("; is tasks meant?")]


def test_a_section_that_is_no_mapping_hides_no_fault_in_the_other(path: Path) -> None:
    found = faults(path, "defaults: [1]\ntasks: {news: {window: {records: 0}}}")
    assert [fault.split(": ")[0] for fault in found] == ["defaults", "news"]
    assert [fault.split(": ")[0] for fault in faults(path, "- news")] == [""]


def test_a_fault_of_the_defaults_is_told_once_however_many_tasks_inherit_it(path: Path) -> None:
    found = faults(
        path,
        "defaults: {window: {records: 0, record: 1}, head: {form: softmax}, refresh: {enabled: no}}"
        "\ntasks: {a: {mode: offline}, b: {window: {max_age_seconds: 60}}, c: }",
    )
    assert found
    assert all(fault.startswith("defaults: ") for fault in found)
    assert len(set(found)) == len(found)


def test_a_task_that_repeats_a_fault_of_the_defaults_is_told_too(path: Path) -> None:
    found = faults(
        path,
        "defaults: {window: {records: 0}}\ntasks: {a: {window: {records: 0}}, b: {mode: offline}}",
    )
    assert [fault.split(": ")[0] for fault in found] == ["defaults", "a"]


@pytest.mark.parametrize(
    ("raw", "what"),
    [(b"tasks: {", "not YAML: line 1, column 9: "), (b"tasks: \xff", "not UTF-8: ")],
)
def test_what_cannot_be_read_is_a_fault(path: Path, raw: bytes, what: str) -> None:
    path.write_bytes(raw)
    _, [fault] = read_tasks(path)
    assert fault.startswith(f"{path}: {what}")
    assert "\n" not in fault


def test_a_file_that_is_not_there_is_a_fault(path: Path) -> None:
    _, found = read_tasks(path)
    assert found == [
        f"{path}: No such file or directory (the file of the tasks, FRESHET_CONFIG or --config)"
    ]
