"""The Faust app of a role: our transport, our commits, our logging, no web port."""

from typing import Literal

import faust
from yarl import URL

from consumers.broker.clients import METADATA_AGE_MILLISECONDS
from consumers.settings import Settings
from consumers.transport import Rebalanced, Transport


class FaustApp(faust.App):
    """A Faust app that keeps no tables and therefore no folders; a `FaustRole` of the transport."""

    settings: Settings
    start_at: Literal["earliest", "latest"]
    conveyor: Rebalanced

    def _create_directories(self) -> None:
        """Make none."""

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)


def create_app(
    settings: Settings, *, role: str, start_at: Literal["earliest", "latest"] = "earliest"
) -> FaustApp:
    """A Faust app for one role: our transport, our commits, our logging, no web port."""
    app = FaustApp(
        settings.group(role),
        broker=[URL(f"kafka://{server}") for server in settings.bootstrap_servers.split(",")],
        broker_client_id=f"{settings.prefix}freshet-{role}",
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 4,
        broker_request_timeout=max(40.0, settings.session_timeout_seconds),
        # A role may work on one batch for long; only its heartbeats say that it is alive.
        broker_max_poll_interval=24 * 3600.0,
        # `none` reports a missing or lost offset to the transport, which knows what to do.
        consumer_auto_offset_reset="none",
        consumer_max_fetch_size=2**20,
        consumer_metadata_max_age_ms=METADATA_AGE_MILLISECONDS,
        producer_acks=-1,
        producer_compression_type=None if settings.memory_broker else "lz4",
        producer_metadata_max_age_ms=METADATA_AGE_MILLISECONDS,
        producer_max_request_size=2**24,
        producer_max_batch_size=2**17,
        stream_buffer_maxsize=4,  # a message is a whole batch
        stream_wait_empty=False,  # there are no acks to wait for
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    app.settings, app.start_at = settings, start_at
    return app
