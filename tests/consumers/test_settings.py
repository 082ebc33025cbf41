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


@pytest.mark.parametrize(
    "given",
    [
        "127.0.0.1:9999,:",
        "kafka",
        "kafka:",
        "kafka:0",
        "kafka:65536",
        "::1:9092",
        ":9092",
        "a:1,,b:2",
    ],
)
@pytest.mark.parametrize("by", ["option", "variable", "kafka's variable"])
def test_a_broker_that_is_not_host_and_port_is_told_with_the_other_faults(
    given: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHET_PARTITIONS", "many")
    if by != "option":
        names = {"variable": "FRESHET_BOOTSTRAP_SERVERS"}
        monkeypatch.setenv(names.get(by, "KAFKA_BOOTSTRAP_SERVERS"), given)
    with pytest.raises(ConfigError) as caught:
        load_settings(**({"bootstrap_servers": given} if by == "option" else {}))
    assert "FRESHET_PARTITIONS: " in str(caught.value)
    assert "FRESHET_BOOTSTRAP_SERVERS: Each should be host:port" in str(caught.value)
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("a:1, b:65535", "a:1,b:65535"),
        ("[::1]:9092", "[::1]:9092"),
        ("k_1.x-y:9092",) * 2,
        ("", ""),
    ],
)
def test_brokers_are_taken_as_host_and_port_and_none_stays_none(given: str, taken: str) -> None:
    settings = load_settings(bootstrap_servers=given)
    assert settings.bootstrap_servers == taken
    assert settings.broker_given == bool(given)


def test_an_empty_name_of_the_file_is_as_if_none_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRESHET_CONFIG", "")
    assert load_settings().config is None
    monkeypatch.setenv("FRESHET_PARTITIONS", "many")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2
