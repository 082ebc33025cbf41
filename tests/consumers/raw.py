"""Raw records as the broker would hand them over."""

import json
from typing import Any

from aiokafka import ConsumerRecord


def raw(
    value: bytes | None,
    *,
    topic: str = "labeled-texts",
    offset: int = 7,
    key: bytes | None = b"a",
    timestamp: int = 1_000,
) -> "ConsumerRecord[bytes, bytes]":
    """A record of partition 0; `timestamp` in milliseconds."""
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=1,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=(),
    )


def labeled(**fields: Any) -> bytes:
    """The JSON of a labeled text."""
    return json.dumps({"task": "mood", "text": "rates rose", "label": "up", **fields}).encode()
