"""Dead letters, and the guard that keeps a bad deploy from draining a topic into them."""

import base64
from collections import deque
from datetime import datetime

from consumers.records import RawRecord
from model.errors import StopError
from schemas.dead_letter import DeadLetter


class FloodError(StopError):
    """Too large a share of the latest records is bad."""


MAX_VALUE_BYTES, MAX_KEY_BYTES = 11_000_000, 200_000
"""In base64, with the key once more as the letter's own, they fit into a record of 16 MiB: what
the producer and the topics of dead letters take."""


def dead_letter_of(record: RawRecord, *, reason: str, detail: str, now: datetime) -> DeadLetter:
    """The dead letter of a raw record: its very bytes, where it stood and why it is here.

    Of a key or value that would not fit only the beginning is kept, and `detail` says so: the
    record itself stands in the log, and one that is too large to set aside must not stop a role.
    """
    for name, raw, limit in (
        ("key", record.key, MAX_KEY_BYTES),
        ("value", record.value, MAX_VALUE_BYTES),
    ):
        if raw is not None and len(raw) > limit:
            detail += f"; here are the first {limit} of the {len(raw)} bytes of its {name}"
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail,
        key=_encoded(record.key, MAX_KEY_BYTES),
        value=_encoded(record.value, MAX_VALUE_BYTES),
        dead_at=now,
    )


class FloodGuard:
    """Counts bad records among the latest ones.

    Args:
        ratio: largest share of bad records, in (0, 1].
        records: how many of the latest are looked at; fewer never count as a flood.
    """

    def __init__(self, ratio: float, records: int) -> None:
        self._ratio, self._records = ratio, records
        self._seen = 0
        self._bad: deque[int] = deque()
        """Of the latest records, the numbers of those that were bad."""

    def saw(self, *, bad: bool) -> None:
        """Take note of one record.

        Raises:
            FloodError: over `ratio` of the last `records` records were bad.
        """
        self._seen += 1
        if bad:
            self._bad.append(self._seen)
            self._check()

    def saw_good(self, count: int) -> None:
        """Take note of so many good records in a row."""
        self._seen += count

    def _check(self) -> None:
        while self._bad[0] <= self._seen - self._records:
            self._bad.popleft()
        if self._seen >= self._records and len(self._bad) > self._ratio * self._records:
            msg = (
                f"{len(self._bad)} of the last {self._records} records are bad, more than "
                f"flood_ratio = {self._ratio:g} allows: a producer is likely broken. Nothing more "
                "is sent to dead letters; look at the latest ones for the reason, mend the "
                "producer, then start this role again with a flood_ratio of 1 until the bad "
                "stretch is passed"
            )
            raise FloodError(msg)


def _encoded(raw: bytes | None, limit: int) -> bytes | None:
    # The schema's Base64Bytes wants what stands in the JSON, and holds the bytes themselves.
    return None if raw is None else base64.b64encode(raw[:limit])
