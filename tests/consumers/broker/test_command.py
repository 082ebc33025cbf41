"""`freshet broker`, as a process of its own with a real Kafka in it."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from typer.testing import CliRunner

from consumers.__main__ import app
from consumers.broker.local_kafka import free_port, port_fault
from tests.conftest import needs_local_kafka

Running = subprocess.Popen[str]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["broker", *arguments])
    return result.exit_code, result.output


@contextmanager
def running(folder: Path, port: int) -> Iterator[Running]:
    """The command, once it has told its address and how to use it."""
    command = [sys.executable, "-m", "consumers", "broker"]
    process = subprocess.Popen(
        [*command, "--folder", str(folder), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert f"Apache Kafka at 127.0.0.1:{port}, its data in {folder};" in told
        assert process.stdout.readline() == f"export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{port}\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: Running, by: signal.Signals) -> tuple[int, str]:
    """Exit status, and what it said after its address."""
    process.send_signal(by)
    said = "".join(process.communicate(timeout=60))
    return process.returncode, said


@contextmanager
def admin_of(port: int) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
    yield admin
    admin.close()


@pytest.mark.broker
def test_data_is_kept_between_runs_also_on_another_port_and_a_signal_stops_all(
    tmp_path: Path,
) -> None:
    needs_local_kafka()
    first, second = free_port(), free_port()
    with running(tmp_path, first) as process:
        with admin_of(first) as admin:
            admin.create_topics([NewTopic("kept", 1, 1)], wait_for_metadata=True)
        status, said = run("--folder", str(tmp_path / "other"), "--port", str(first))
        assert status == 1
        assert f"port {first} cannot be used" in said
        assert not (tmp_path / "other").exists()
        assert ended(process, signal.SIGTERM) == (128 + signal.SIGTERM, "")
    assert port_fault(first) is None
    with running(tmp_path, second) as process:
        with admin_of(second) as admin:
            assert "kept" in admin.list_topics()
        assert ended(process, signal.SIGINT) == (128 + signal.SIGINT, "")
    assert port_fault(second) is None


def test_a_port_that_somebody_listens_on_is_a_fault_and_a_closed_one_is_none() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert port_fault(port) is not None
        taken.listen()
        assert port_fault(port) == "something listens there already"
    assert port_fault(port) is None


def test_without_java_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, said = run("--folder", str(tmp_path / "data"), "--port", str(free_port()))
    assert status == 1
    assert "freshet: A local Kafka cannot run here: no java on the path" in said


def test_the_help_says_what_it_is_for() -> None:
    status, said = run("--help")
    assert status == 0
    assert "for trying things on one machine" in " ".join(said.split())
