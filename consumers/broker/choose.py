"""Which broker to run on: the one that was named, else a local Kafka, else one in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from consumers.broker.jars import missing_tools
from consumers.broker.local_kafka import DEFAULT_CACHE, LocalKafka
from consumers.broker.memory import MemoryBroker
from consumers.settings import Settings


class Broker(Protocol):
    """A broker that answers."""

    @property
    def kind(self) -> Literal["given", "kafka", "memory"]:
        """Whose it is: the user's, a Kafka started here, or a mock in memory."""
        ...

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` with commas between."""
        ...

    @property
    def note(self) -> str:
        """One line for the user on what this broker is."""
        ...


class GivenBroker:
    """The broker that the settings name; it is neither started nor stopped here."""

    kind: Literal["given"] = "given"

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.note = f"your broker at {bootstrap_servers}"


@contextmanager
def open_broker(
    settings: Settings | None = None,
    *,
    folder: Path,
    cache: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Broker]:
    """Give a broker that answers, and leave nothing running behind.

    Args:
        settings: their `bootstrap_servers` is taken when somebody set it.
        folder: where a local Kafka keeps its data and its log.
        cache: folder of this machine for Kafka's jars; by default that of the settings.
        tell: takes a line for the user where there is something to know beforehand.

    Raises:
        BrokerError: none could be started.
    """
    if settings is not None and settings.broker_given:
        yield GivenBroker(settings.bootstrap_servers)
        return
    if fault := missing_tools():
        tell(f"No local Kafka: {fault}.")
        with MemoryBroker() as memory:
            tell(f"This runs on {memory.note}.")
            yield memory
        return
    cache = cache or (settings.cache if settings else DEFAULT_CACHE)
    with LocalKafka(folder, cache=cache) as kafka:
        yield kafka
