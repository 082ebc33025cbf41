"""Writes a stream at its pace, through whatever happens to the broker."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.faults.stream import Planned

MOST_AT_ONCE = 200
"""Records in one step, after a broker was away."""


class Feeder:
    """Sends what is due, and counts what the broker has acknowledged.

    Args:
        servers: the brokers.
        prefix: of the installation's topics.
        stream: what to send.
        rate: records a second.
    """

    def __init__(
        self, servers: str, *, prefix: str, stream: Iterator[Planned], rate: float
    ) -> None:
        self._prefix, self._stream, self._rate = prefix, stream, rate
        self._due = 0.0
        self._waiting: Planned | None = None
        self.sent: Counter[str] = Counter()
        """By what they were meant to be."""
        self.acknowledged = 0
        self.refused: list[str] = []
        self._producer: Any = KafkaProducer(
            bootstrap_servers=servers.split(","),
            acks="all",
            enable_idempotence=True,
            max_block_ms=500,
            linger_ms=5,
            reconnect_backoff_max_ms=500,
        )

    def step(self, seconds: float) -> None:
        """Send what has become due in so many seconds."""
        self._due += seconds * self._rate
        for _ in range(MOST_AT_ONCE):
            if self._due < 1 or not self._sent():
                return
            self._due -= 1

    def flush(self) -> bool:
        """Whether the broker has everything by now; waits a while for it."""
        try:
            self._producer.flush(timeout=1)
        except KafkaError:
            return False
        return self.acknowledged + len(self.refused) == self.sent.total()

    def close(self) -> None:
        """Leave the broker."""
        self._producer.close(timeout=2)

    def _sent(self) -> bool:
        planned = self._waiting or next(self._stream)
        self._waiting = planned
        try:
            future = self._producer.send(
                self._prefix + planned.topic,
                value=planned.value,
                key=planned.key,
                partition=planned.partition,
            )
        except KafkaError:  # no room or no news of the topic: the broker is away
            return False
        self._waiting = None
        self.sent[planned.intent] += 1
        future.add_callback(self._acknowledge)
        future.add_errback(lambda error: self.refused.append(repr(error)))
        return True

    def _acknowledge(self, _metadata: Any) -> None:
        self.acknowledged += 1
