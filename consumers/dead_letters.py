"""Dead letters, and the guard that keeps a bad deploy from draining a topic into them."""

import base64
from collections import deque
from datetime import datetime

from consumers.records import RawRecord
from model.errors import StopError
from schemas.dead_letter import DeadLetter


class FloodError(StopError):
    """Too large a share of the latest records is bad."""


def dead_letter_of(record: RawRecord, *, reason: str, detail: str, now: datetime) -> DeadLetter:
    """The dead letter of a raw record: its very bytes, where it stood and why it is here."""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail,
        key=_encoded(record.key),
        value=_encoded(record.value),
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
        self._latest: deque[bool] = deque(maxlen=records)
        self._bad = 0

    def saw(self, *, bad: bool) -> None:
        """Take note of one record.

        Raises:
            FloodError: over `ratio` of the last `records` records were bad.
        """
        latest = self._latest
        if len(latest) == self._records:
            self._bad -= latest[0]
        latest.append(bad)
        if bad:
            self._bad += 1
            self._check()

    def _check(self) -> None:
        if len(self._latest) == self._records and self._bad > self._ratio * self._records:
            msg = (
                f"{self._bad} of the last {self._records} records are bad, more than flood_ratio "
                f"= {self._ratio:g} allows: a producer is likely broken. Nothing more is sent to "
                "dead letters; look at the latest ones for the reason, mend the producer, then "
                "start this role again with a flood_ratio of 1 until the bad stretch is passed"
            )
            raise FloodError(msg)


def _encoded(raw: bytes | None) -> bytes | None:
    # The schema's Base64Bytes wants what stands in the JSON, and holds the bytes themselves.
    return None if raw is None else base64.b64encode(raw)
