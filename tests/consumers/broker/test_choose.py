"""Which broker is taken: the named one, a local Kafka, one in memory."""

from pathlib import Path

import pytest

from consumers.broker import LocalKafka, choose, kafka_python_options, open_broker
from consumers.settings import Settings


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "FRESHET_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["KAFKA_BOOTSTRAP_SERVERS", "FRESHET_BOOTSTRAP_SERVERS"])
def test_a_named_broker_is_taken_as_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "one:1,two:2")
    with open_broker(Settings(), folder=tmp_path) as broker:
        assert (broker.kind, broker.bootstrap_servers) == ("given", "one:1,two:2")


def test_the_default_address_is_not_a_named_broker() -> None:
    assert not Settings().broker_given
    assert not Settings(bootstrap_servers="").broker_given
    assert Settings(bootstrap_servers="localhost:9092").broker_given


def test_a_laptop_without_java_gets_one_in_memory_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("confluent_kafka")
    monkeypatch.setattr(choose, "missing_tools", lambda: "no java on the path")
    told: list[str] = []
    with open_broker(Settings(), folder=tmp_path, tell=told.append) as broker:
        assert broker.kind == "memory"
        assert broker.bootstrap_servers
    assert told[0] == "No local Kafka: no java on the path."
    assert "nothing in it survives" in told[1]


def test_where_the_tools_are_a_local_kafka_is_started_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "missing_tools", lambda: None)
    steps: list[str] = []
    monkeypatch.setattr(LocalKafka, "start", lambda _: steps.append("start"))
    monkeypatch.setattr(LocalKafka, "stop", lambda _: steps.append("stop"))
    with open_broker(Settings(), folder=tmp_path) as broker:
        assert (broker is None, steps) == (True, ["start"])
    assert steps == ["start", "stop"]


def test_the_api_version_is_fixed_for_the_mock_alone() -> None:
    given = kafka_python_options(Settings(bootstrap_servers="a:1,b:2", prefix="p-"))
    assert given["bootstrap_servers"] == ["a:1", "b:2"]
    assert given["client_id"] == "p-freshet"
    assert "api_version" not in given
    assert kafka_python_options(Settings(memory_broker=True))["api_version"] == (2, 3)
