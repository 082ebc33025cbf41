import json
from itertools import islice
from pathlib import Path

import pytest
import yaml

from consumers.dataset_files import DatasetError
from consumers.datasets import normalised
from consumers.demo.plan import DemoOptions, hold_back, make_plan, write_tasks_file
from consumers.settings import TasksFile, load_settings
from schemas.labeled_text import LabeledText


def labeled(text: str, number: int = 0) -> LabeledText:
    return LabeledText(id=f"{number}", task="mood", text=text, label="good")


def written(path: Path, count: int) -> Path:
    rows = [{"text": f"text {n % (count - 20)}", "label": "good"} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_repeats_of_a_text_stay_on_one_side() -> None:
    texts = [labeled(f"{text} {n}", n) for n in range(400) for text in ("Some Text", " some  text")]
    stream, test = hold_back(texts, share=0.15, seed=0)
    sides = [{normalised(text.text) for text in side} for side in (stream, test)]
    assert not sides[0] & sides[1]
    assert len(stream) + len(test) == 800
    assert 60 < len(test) < 180


def test_another_seed_holds_back_others() -> None:
    texts = [labeled(f"text {n}", n) for n in range(200)]
    assert hold_back(texts, share=0.15, seed=0)[1] != hold_back(texts, share=0.15, seed=1)[1]


def test_a_file_is_split_and_asks_what_it_held_back(tmp_path: Path) -> None:
    plan = make_plan(DemoOptions(data=written(tmp_path / "moods.jsonl", 300)))
    assert len(plan.texts) + len(plan.test_set) == 300
    held_back = {text.text for text in plan.test_set}
    asked = {text for _, text in islice(plan.questions, 400)}
    assert asked == held_back
    assert not held_back & {text.text for text in plan.texts}


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        make_plan(DemoOptions(data=tmp_path / "none.csv"))


def test_the_generated_stream_fills_twelve_windows_and_leaves_one_to_the_close_command() -> None:
    plan = make_plan(DemoOptions(window_records=40, task="mine"))
    assert len(plan.texts) == 490
    assert {text.task for text in (*plan.texts, *plan.test_set)} == {"mine"}
    assert not {text.text for text in plan.texts} & {text.text for text in plan.test_set}
    assert next(plan.questions)[0] == "mine"


def test_the_roles_get_the_users_file_with_the_window_that_was_asked_for(tmp_path: Path) -> None:
    held = TasksFile(
        defaults={"head": {"form": "ridge"}, "refresh": {"every_records": 5}},
        tasks={"mood": {"window": {"records": 7, "max_idle_seconds": 3.0}}, "other": None},
    )
    path = tmp_path / "tasks.yaml"
    write_tasks_file(path, held, DemoOptions(window_records=100))
    settings = load_settings(config=path)
    mood, other = settings.task("mood"), settings.task("other")
    assert (mood.window.records, mood.window.max_idle_seconds) == (100, 3.0)
    assert (other.window.records, other.head.form) == (100, "ridge")
    assert (other.refresh.first_after_records, other.refresh.every_records) == (400, 5)


def test_the_refresh_policy_of_a_users_data_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "tasks.yaml"
    write_tasks_file(path, TasksFile(), DemoOptions(data=tmp_path / "x.csv"))
    assert "refresh" not in yaml.safe_load(path.read_text(encoding="utf-8"))["defaults"]


def test_a_file_with_a_test_set_of_its_own_keeps_it(tmp_path: Path) -> None:
    marks = ["train", "test", "valid", None]
    rows = [{"text": f"text {n}", "label": "good", "split": marks[n % 4]} for n in range(40)]
    path = tmp_path / "moods.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    plan = make_plan(DemoOptions(data=path))

    assert {text.text for text in plan.test_set} == {f"text {n}" for n in range(1, 40, 4)}
    streamed = {f"text {n}" for n in range(40) if n % 4 in {0, 3}}
    assert {text.text for text in plan.texts} == streamed
