"""The windows role while its broker is gone, and after the broker is back."""

from pathlib import Path

import pytest

from consumers.broker.local_kafka import LocalKafka
from consumers.settings import Settings
from consumers.topics_admin import ensure_topics
from tests.conftest import needs_local_kafka
from tests.consumers.raw import labeled
from tests.consumers.windows.stream import logged, produce, role, tasks_file, windows_until

pytestmark = pytest.mark.broker


def test_a_role_outlives_a_broker_restart_and_leaves_one_that_is_gone(tmp_path: Path) -> None:
    needs_local_kafka()
    broker = LocalKafka(tmp_path / "kafka").start()
    settings = Settings(bootstrap_servers=broker.bootstrap_servers, partitions=1)
    config = tasks_file(tmp_path, records=5)
    windows = role(settings, tmp_path, FRESHET_CONFIG=config, FRESHET_SHUTDOWN_SECONDS="15")
    try:
        ensure_topics(settings)
        windows.start()
        produce(settings, [labeled() for _ in range(7)])
        windows_until(settings, lambda w: len(w) >= 1)

        broker.kill()
        broker.start()
        produce(settings, [labeled() for _ in range(8)])
        closed = windows_until(settings, lambda w: len(w) >= 3)
        assert [(w.span.start, w.span.end) for w in closed] == [(0, 5), (5, 10), (10, 15)]
        assert windows.running

        broker.kill()
        windows.terminate()
        assert windows.wait(timeout_seconds=25) == 0, windows.last_lines()
        assert logged(windows, "role_stopped")
    finally:
        windows.kill()
        broker.kill()


def test_a_role_waits_for_a_broker_that_is_late_and_can_be_told_to_stop(tmp_path: Path) -> None:
    nobody = Settings(bootstrap_servers="127.0.0.1:1")
    windows = role(nobody, tmp_path).start()
    try:
        assert logged(windows, "broker_awaited")
        windows.terminate()
        assert windows.wait(timeout_seconds=25) == 0, windows.last_lines()
    finally:
        windows.kill()
