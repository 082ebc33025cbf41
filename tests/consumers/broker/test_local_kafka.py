"""The broker that the project starts itself: real Kafka, real processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from consumers.broker import LocalKafka
from consumers.broker.errors import BrokerError
from consumers.broker.jars import missing_tools
from tests.conftest import absent, needs_local_kafka
from tests.waiting import ends

pytestmark = pytest.mark.broker

PARENT = """
import sys
from pathlib import Path
from consumers.broker import LocalKafka
broker = LocalKafka(Path(sys.argv[1])).start()
print(broker.pid, flush=True)
input()
"""


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    if fault := missing_tools():
        absent(f"a local Kafka cannot run here: {fault}")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalKafka]:
    broker = LocalKafka(tmp_path / "kafka")
    yield broker
    broker.kill()


def test_records_survive_a_kill_and_a_restart_on_the_same_port_and_a_stop_leaves_nothing(
    broker: LocalKafka,
) -> None:
    address = broker.start().bootstrap_servers
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic("t", 1, 1)], wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    producer.send("t", b"kept").get(10)
    producer.close()
    broker.kill()
    assert broker.pid is None
    assert broker.start().bootstrap_servers == address
    consumer = KafkaConsumer(
        "t",
        bootstrap_servers=address,
        group_id="g",
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    assert next(consumer).value == b"kept"
    consumer.close(autocommit=False)
    pid = broker.pid
    assert pid is not None
    assert os.getsid(pid) == pid  # Ctrl-C on the terminal does not reach it
    broker.stop()
    assert ends(pid, timeout_seconds=0)


def test_the_broker_dies_when_its_parent_is_killed_with_9(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert ends(pid)


def test_a_broker_whose_port_is_taken_says_so_with_its_last_lines(tmp_path: Path) -> None:
    broker = LocalKafka(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", broker.port))
        with pytest.raises(BrokerError, match=r"(?s)ended while it started.*already in use"):
            broker.start()
    assert broker.pid is None


def test_settings_that_kafka_refuses_are_shown_and_leave_no_half_made_data(tmp_path: Path) -> None:
    broker = LocalKafka(tmp_path, properties={"compression.type": "no-such-codec"})
    with pytest.raises(BrokerError, match=r"(?s)could not format.*no-such-codec"):
        broker.start()
    assert not (tmp_path / "data").exists()


def test_a_broker_that_is_slow_is_killed_and_reported(tmp_path: Path) -> None:
    broker = LocalKafka(tmp_path)
    with pytest.raises(BrokerError, match=r"did not answer in time"):
        broker.start(timeout_seconds=0)
    assert broker.pid is None


def test_a_folder_that_another_broker_uses_is_left_alone(tmp_path: Path) -> None:
    needs_local_kafka()
    held, other = LocalKafka(tmp_path), LocalKafka(tmp_path)
    held.prepare()
    written = (tmp_path / "server.properties").read_bytes()

    with pytest.raises(BrokerError, match=f"another broker runs on {tmp_path}"):
        other.prepare()

    assert (tmp_path / "server.properties").read_bytes() == written
    held.stop()
    other.prepare()
