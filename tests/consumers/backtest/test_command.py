"""`freshet backtest` as a user types it, on the tiny encoder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from consumers.__main__ import app
from consumers.backtest.command import spread
from model.backtest.report import BacktestReport, PlanReport
from model.backtest.run import run_plan
from tests.model.tiny import LABELS, labeled_texts, write_tiny_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of 100 records, and settings that learn them on the tiny encoder."""
    made = tmp_path_factory.mktemp("backtest")
    texts, labels = labeled_texts(200)
    lines = [
        json.dumps({"text": text, "label": LABELS[label], "id": f"{number}"}) + "\n"
        for number, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    (made / "first.jsonl").write_text("".join(lines[:100]), encoding="utf-8")
    (made / "second.jsonl").write_text("".join(lines[100:]), encoding="utf-8")
    encoder = write_tiny_encoder(made / "encoder")
    defaults = {
        "encoder": {"base_model": str(encoder)},
        "refresh": {"first_after_records": 60, "every_records": 90, "min_records_per_label": 3},
        "fit": {"epochs": 1},
    }
    (made / "tasks.yaml").write_text(yaml.safe_dump({"defaults": defaults}), encoding="utf-8")
    return made


def run(*arguments: object, folder: Path) -> tuple[int, str]:
    given = [str(argument) for argument in arguments]
    settings = {"FRESHET_CACHE": str(folder / "cache"), "FRESHET_THREADS": "1"}
    result = CliRunner().invoke(
        app, ["backtest", *given, "--config", str(folder / "tasks.yaml")], env=settings
    )
    return result.exit_code, result.output


def test_plans_are_compared_and_the_report_is_written(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "patient.yaml"
    own.write_text("refresh: {every_records: 5000}", encoding="utf-8")
    status, told = run(
        folder / "first.jsonl", folder / "second.jsonl", "--window", 50, "--joint",
        "--compare", f"default,head,{own}", "--report", tmp_path / "out.json", folder=folder,
    )  # fmt: skip

    assert status == 0, told
    raw: dict[str, Any] = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert list(raw["plans"]) == ["default", "head", "patient"]
    promised = {
        "average_accuracy", "forgetting", "accuracy_matrix", "prequential", "seconds",
        "sample_steps", "peak_memory_bytes",
    }  # fmt: skip
    assert all(promised <= set(plan) for plan in [*raw["plans"].values(), raw["joint"]])
    report = BacktestReport.model_validate(raw)
    assert [each.name for each in report.slices] == ["first.jsonl", "second.jsonl"]
    assert report.plans["head"].sample_steps == 0
    assert report.plans["default"].peak_memory_bytes > 0
    assert "default: 50/" in told
    assert "slices with fewer records than a window" not in told
    assert "take " in told
    assert "points" in told


def test_slices_that_share_a_window_are_told_of(folder: Path) -> None:
    files = folder / "first.jsonl", folder / "second.jsonl"
    _, told = run(*files, "--window", 5000, "--compare", "head", folder=folder)

    assert "slices with fewer records than a window of 5000: first.jsonl, second.jsonl" in told


def test_rows_left_out_are_counted_at_the_end_and_in_the_report(
    folder: Path, tmp_path: Path
) -> None:
    broken, tests = tmp_path / "broken.jsonl", tmp_path / "tests.jsonl"
    broken.write_text((folder / "first.jsonl").read_text() + "{\n" * 7, encoding="utf-8")
    tests.write_text((folder / "second.jsonl").read_text() + "{\n", encoding="utf-8")
    status, told = run(
        broken, "--compare", "head", "--report", tmp_path / "out.json", "--test", tests,
        folder=folder,
    )  # fmt: skip

    assert status == 0, told
    end = told[told.index("accuracy") :].replace("\n", " ")
    assert "Rows that could not be used and were left out: 7 of " in end
    report = BacktestReport.model_validate_json((tmp_path / "out.json").read_bytes())
    assert report.rows_left_out == {str(broken): 7, str(tests): 1}


def test_a_plan_s_own_window_holds_and_one_that_gathers_windows_is_told_of(
    folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("{mode: offline, window: {records: 40}, refresh: {enabled: false}}")
    status, told = run(
        folder / "first.jsonl", "--compare", f"head,{own}", "--report", tmp_path / "out.json",
        folder=folder,
    )  # fmt: skip

    assert status == 0, told
    assert "learns each window at once, also where mode is offline: mine" in told
    report = BacktestReport.model_validate_json((tmp_path / "out.json").read_bytes())
    assert report.window == 500
    assert [len(plan.windows) for plan in report.plans.values()] == [1, 3]


def test_an_interruption_tells_the_plans_that_are_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_until_replay(plan: Any, *given: Any, **options: Any) -> PlanReport:
        if plan.name == "replay":
            raise KeyboardInterrupt
        return run_plan(plan, *given, **options)

    monkeypatch.setattr("consumers.backtest.run.run_plan", run_until_replay)
    status, told = run(
        folder / "first.jsonl", "--compare", "head,replay,naive", "--report", tmp_path / "out.json",
        "--window", "20", folder=folder,
    )  # fmt: skip

    assert status == 130, told
    assert "interrupted" in told
    report = BacktestReport.model_validate_json((tmp_path / "out.json").read_bytes())
    assert list(report.plans) == ["head"]
    assert not report.complete
    assert "head reaches" in told


def test_an_unknown_plan_names_all_the_known_ones_before_anything_runs(folder: Path) -> None:
    status, told = run(folder / "first.jsonl", "--compare", "default,magic", folder=folder)

    assert status == 2
    assert all(name in told for name in ("'magic'", "default", "naive", "replay", "head"))
    assert "begins" not in told


def test_a_task_s_name_that_cannot_be_one_is_an_error(folder: Path) -> None:
    status, told = run(folder / "first.jsonl", "--task", "My Task", folder=folder)

    assert status == 2
    assert "'My Task'" in told


@pytest.mark.parametrize(
    ("option", "place", "why"),
    [
        ("--report", "no/out.json", "there is no folder"),
        ("--report", "encoder", "a folder: give a file"),
        ("--report", "x" * 300, "cannot be written: File name too long"),
        ("--plots", "first.jsonl", "a file: give a folder"),
        ("--plots", "first.jsonl/pictures", "cannot be written: Not a directory"),
    ],
)
def test_results_that_cannot_be_written_are_told_before_anything_runs(
    option: str, place: str, why: str, folder: Path
) -> None:
    status, told = run(
        folder / "first.jsonl", "--compare", "head", option, folder / place, folder=folder
    )

    assert status == 2, told
    assert why in told
    assert "begins" not in told


def test_the_help_explains_every_option(folder: Path) -> None:
    status, told = run("--help", folder=folder)

    assert status == 0
    options = (
        "--slice", "--test", "--window", "--compare", "--joint", "--epochs", "--memory",
        "--no-log", "--order", "--seed", "--report", "--plots", "--task", "--config",
        "--text-column", "--time-column",
    )  # fmt: skip
    assert all(option in told for option in options)


def test_test_takes_every_file_that_follows_it() -> None:
    given = ["a", "b", "--test", "ta", "tb", "--window", "50", "--test", "tc", "--joint"]

    assert spread(given) == [
        "a", "b", "--test", "ta", "--test", "tb", "--window", "50", "--test", "tc", "--joint",
    ]  # fmt: skip
    assert spread(["a", "--test"]) == ["a", "--test"]


def test_the_command_line_learns_without_a_broker() -> None:
    code = (
        "import sys, consumers.backtest.command, consumers.backtest.run\n"
        "assert not {'kafka', 'faust', 'aiokafka'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)


WITHOUT_TORCH = (
    "import sys; sys.modules['torch'] = None; from consumers.__main__ import main; main()"
)


def without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "backtest", *map(str, arguments)],
        check=False,
        timeout=240,
        capture_output=True,
        text=True,
    )


def test_without_torch_the_help_is_shown_and_a_run_names_the_extra_that_it_needs(
    folder: Path,
) -> None:
    helped, ran = without_torch("--help"), without_torch(folder / "first.jsonl")

    assert helped.returncode == 0, helped.stderr
    assert "--window" in helped.stdout
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("freshet: a backtest needs the extra `train`")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (["{folder}/none.jsonl"], "cannot be read: No such file"),
        (["{folder}/first.jsonl", "--compare", "relpay"], "is replay meant?"),
        (["{folder}/first.jsonl", "--config", "{folder}/wrong.yaml"], "is epochs meant?"),
        (["{folder}/first.jsonl", "--report", "{folder}/no/out.json"], "there is no folder"),
        (["{folder}/first.jsonl", "--slice", "lable"], "is label meant?"),
    ],
)
def test_arguments_are_found_wrong_before_torch_is_loaded(
    wrong: list[str], why: str, folder: Path
) -> None:
    (folder / "wrong.yaml").write_text("defaults: {fit: {epoch: 2}}", encoding="utf-8")
    ran = without_torch(*(part.format(folder=folder) for part in wrong))

    assert ran.returncode in {1, 2}
    assert why in ran.stderr
