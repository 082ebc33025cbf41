"""Settings from the environment and from the file of tasks, and every fault at once."""

from pathlib import Path

import pytest

from consumers.settings import load_settings
from model.errors import ConfigError


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.yaml"
    path.write_text("defaults: {window: {records: 0}}", encoding="utf-8")
    return path


@pytest.mark.parametrize("by", ["option", "variable"])
def test_faults_of_variables_and_of_the_file_are_told_together(
    bad_file: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHET_PARTITIONS", "many")
    if by == "variable":
        monkeypatch.setenv("FRESHET_CONFIG", str(bad_file))
    with pytest.raises(ConfigError) as caught:
        load_settings(**({"config": bad_file} if by == "option" else {}))
    assert "FRESHET_PARTITIONS: " in str(caught.value)
    assert f"{bad_file}: defaults: window.records: " in str(caught.value)
    assert "'many'" in str(caught.value)


def test_a_misspelt_variable_is_a_fault_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRESHET_PARTITION", "3")
    with pytest.raises(ConfigError, match=r"FRESHET_PARTITION: .*FRESHET_PARTITIONS"):
        load_settings()


def test_what_kubernetes_tells_of_a_service_of_our_name_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_80_TCP", "PORT_80_TCP_PROTO")
    for name in (*names, "STORE_SERVICE_HOST", "SERVE_PORT_80_TCP_ADDR", "TRAIN_PORT"):
        monkeypatch.setenv(f"FRESHET_{name}", "tcp://10.0.0.1:80")
    monkeypatch.setenv("FRESHET_MAX_FAILED_WINDOWS", "7")
    assert load_settings().max_failed_windows == 7


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("{windw: {max_records: 5}}", "windw: .*; is window meant?"),
        ("{window: {record: 5}}", "window.record: .*; is records meant?"),
        ("{head: {form: softmax}, refresh: {enabled: false}}", "news: : [^;]*$"),
        ("{window: {nothing_like_it: 5}}", "window.nothing_like_it: [^;]*$"),
    ],
)
def test_a_misspelt_field_of_a_task_names_the_one_that_is_near(
    tmp_path: Path, line: str, near: str
) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_text(f"tasks: {{news: {line}}}", encoding="utf-8")
    with pytest.raises(ConfigError, match=near.replace("?", r"\?")):
        load_settings(config=path)
