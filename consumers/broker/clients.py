"""How this project's kafka-python clients reach the broker."""

from typing import Any

from consumers.settings import Settings

MEMORY_API_VERSION = (2, 3)
"""librdkafka's mock answers fewer requests than it announces; kafka-python must not ask it."""

METADATA_AGE_MILLISECONDS = 30_000
"""How long any client goes by what it knows of topics and leaders. A broker that has just started
may not know a topic yet; what asked it then would go without its partitions for so long, and the
clients' own default is five minutes."""


def no_broker(settings: Settings, error: Exception) -> str:
    """What to say where none answers."""
    return (
        f"no broker answers at {settings.bootstrap_servers} (FRESHET_BOOTSTRAP_SERVERS, "
        f"KAFKA_BOOTSTRAP_SERVERS or --bootstrap-servers names another): {error}"
    )


def kafka_python_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of every kafka-python client: admin, consumer and producer alike."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": f"{settings.prefix}freshet",
        "request_timeout_ms": 30_000,
        "bootstrap_timeout_ms": 10_000,
        "metadata_max_age_ms": METADATA_AGE_MILLISECONDS,
        "reconnect_backoff_ms": 50,
        "reconnect_backoff_max_ms": 2_000,
    }
    if settings.memory_broker:
        options["api_version"] = MEMORY_API_VERSION
    return options
