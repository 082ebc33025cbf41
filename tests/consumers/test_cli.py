import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.__main__ import app

ROLES = (
    "topics", "windows", "train", "serve", "produce", "refresh", "status", "pause", "resume",
    "models", "demo",
)  # fmt: skip


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env=environment)
    return result.exit_code, result.output


def test_the_version_is_told() -> None:
    status, told = run("--version")
    assert (status, told.split()[0]) == (0, "freshet")


def test_the_help_names_every_role() -> None:
    status, told = run("--help")
    assert status == 0
    assert all(role in told for role in ROLES)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "models"])
def test_every_role_explains_its_options(role: str) -> None:
    status, told = run(role, "--help")
    assert status == 0
    assert "bootstrap" in told


@pytest.mark.parametrize("role", ["topics", "windows", "train", "serve", "demo"])
def test_configuration_errors_are_told_at_once_with_status_2(tmp_path: Path, role: str) -> None:
    config = tmp_path / "tasks.yaml"
    config.write_text("defaults: {window: {records: 0}}", encoding="utf-8")
    status, told = run(role, "--config", str(config), FRESHET_PARTITIONS="many")
    assert status == 2
    assert "FRESHET_PARTITIONS" in told
    assert "window.records" in told
    assert "Traceback" not in told


def test_a_train_role_with_a_store_that_is_none_never_joins_its_group() -> None:
    done = subprocess.run(  # a role sets up the logging of its process
        [sys.executable, "-m", "consumers", "train", "--store", "ftp://x"],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("freshet: store is 'ftp://x': ")
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_file_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    status, told = run("produce", str(tmp_path / "none.jsonl"))
    assert status == 1
    assert "none.jsonl: cannot be read" in told
    assert "Traceback" not in told


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("do not delete", encoding="utf-8")
    status, told = run("demo", "--out", str(tmp_path))
    assert status == 2
    assert "choose another --out" in told
    assert mine.exists()


def test_the_command_line_starts_without_torch() -> None:
    code = (
        "import sys, consumers.__main__ as cli\n"
        "assert not {'torch', 'kafka', 'onnxruntime', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("role", ["train", "demo"])
def test_what_starts_processes_that_need_torch_names_the_extra_at_once(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.chdir(tmp_path)
    status, told = run(role)
    assert status == 2
    assert told.startswith(f"freshet: freshet {role} needs the extra `train`")
    assert not list(tmp_path.iterdir())


def test_the_window_role_starts_without_torch() -> None:
    code = "import sys, consumers.windows.agent\nassert 'torch' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_role_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "consumers", "--version"],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("freshet ")


def test_a_refresh_is_asked_for_with_a_reason_and_of_a_task_that_can_be() -> None:
    status, told = run("refresh", "prices")
    assert status == 2
    assert "--why" in told
    status, told = run("refresh", "No Task", "--why", "to see")
    assert status == 2
    assert "'No Task' is no name of a task" in told
    assert "Traceback" not in told
