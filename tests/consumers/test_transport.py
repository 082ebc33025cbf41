"""Holds the inner names of faust-streaming, mode and aiokafka that the batch transport leans on."""

import inspect
from importlib import metadata

import aiokafka
import pytest
from aiokafka.consumer import subscription_state
from aiokafka.consumer.fetcher import Fetcher
from faust.app import App
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver
from mode.threads import ServiceThread
from mode.utils.queues import FlowControlEvent

from consumers import transport
from consumers.app import create_app
from consumers.settings import Settings

LEANS_ON = [
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
    (
        driver.AIOKafkaConsumerThread,
        "_fetch_records",
        ["self", "consumer", "active_partitions", "timeout", "max_records"],
    ),
    (driver.AIOKafkaConsumerThread, "_commit", ["self", "offsets"]),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer", ["self"]),
    (driver.AIOKafkaConsumerThread, "seek_to_committed", ["self"]),
    (driver.AIOKafkaConsumerThread, "on_thread_stop", ["self"]),
    (driver.AIOKafkaConsumerThread, "close", ["self"]),
    (driver.Consumer, "_new_consumer_thread", ["self"]),
    (driver.Producer, "_settings_extra", ["self"]),
    (base.Consumer, "getmany", ["self", "timeout"]),
    (base.Consumer, "_wait_next_records", ["self", "timeout"]),
    (base.Consumer, "resume_partitions", ["self", "tps"]),
    (base.Consumer, "resume_flow", ["self"]),
    (base.ThreadDelegateConsumer, "assignment", ["self"]),
    (driver.AIOKafkaConsumerThread, "_create_consumer", ["self", "loop"]),
    (App, "on_rebalance_start", ["self"]),
    (FlowControlEvent, "resume", ["self"]),
    (base.Consumer, "_add_gap", ["self", "tp", "offset_from", "offset_to"]),
    (base.Consumer, "commit", ["self", "topics", "start_new_transaction"]),
    (base.Consumer, "perform_seek", ["self"]),
    (base.Consumer, "verify_all_partitions_active", ["self"]),
    (base.Consumer, "on_partitions_revoked", ["self", "revoked"]),
    (base.Consumer, "on_partitions_assigned", ["self", "assigned", "generation_id"]),
]


def test_the_version_that_was_read_is_the_one_installed() -> None:
    assert metadata.version("faust-streaming") == "0.15.3"


@pytest.mark.parametrize(("owner", "name", "parameters"), LEANS_ON)
def test_an_inner_name_is_there_and_takes_what_we_pass(
    owner: type, name: str, parameters: list[str]
) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_what_is_read_from_inner_objects_is_still_in_their_source() -> None:
    assert "self._rebalance_listener" in inspect.getsource(driver.AIOKafkaConsumerThread)
    assert "can_resume_flow" in inspect.getsource(base.Consumer._wait_next_records)
    stop = inspect.getsource(ServiceThread.stop)
    assert "if self._started.is_set()" in stop, "then ConsumerThread.stop can go"
    state = inspect.getsource(subscription_state)
    for name in ("state_value", "has_valid_position", "def position"):
        assert name in state
    drain = inspect.getsource(base.Consumer._drain_messages)
    assert "self.getmany" in drain
    assert "r_offset is None or offset >= r_offset" in drain
    assert "_read_offset" in inspect.getsource(base.Consumer.perform_seek)
    consumer = inspect.getsource(aiokafka.AIOKafkaConsumer)
    assert "self._fetch_max_wait_ms" in consumer
    assert "self._subscription" in consumer
    fetcher = inspect.getsource(Fetcher)
    assert "NoOffsetForPartitionError(tp)" in fetcher
    assert "OffsetOutOfRangeError({tp: fetch_offset})" in fetcher


def test_an_app_has_our_transport_and_leaves_the_rest_alone() -> None:
    app = create_app(Settings(session_timeout_seconds=7), role="windows")
    assert isinstance(app.transport, transport.Transport)
    assert app.transport.Consumer is transport.Consumer
    conf = app.conf
    assert conf.broker_session_timeout == 7
    assert conf.consumer_auto_offset_reset == "none"
    assert (conf.topic_disable_leader, conf.topic_allow_declare) == (True, False)
    assert (conf.web_enabled, conf.stream_wait_empty) == (False, False)
    assert conf.broker_max_poll_interval >= 3600
