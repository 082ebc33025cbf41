"""Dead letters: what is kept of a record that cannot be processed."""

import base64
from datetime import datetime

from consumers.records import RawRecord
from consumers.remedies import with_advice
from schemas.dead_letter import DeadLetter

MAX_VALUE_BYTES, MAX_KEY_BYTES, MAX_HEADERS_BYTES = 11_000_000, 200_000, 100_000
"""In base64, with the key once more as the letter's own, they fit into a record of 16 MiB: what
the producer and the topics of dead letters take."""
WINDOW_FAILED = "window_failed"
"""The reason of a window's letter: the lineage accounts for it, without having learned it."""


def dead_letter_of(record: RawRecord, *, reason: str, detail: str, now: datetime) -> DeadLetter:
    """The dead letter of a raw record: its very bytes, where it stood and why it is here.

    To `detail`, what was wrong, is added what helps.

    Of a key or value that would not fit only the beginning is kept, and `detail` says so: the
    record itself stands in the log, and one that is too large to set aside must not stop a role.
    Headers that would not fit are left out.
    """
    headers = _kept_headers(record)
    whole = len(headers) == len(record.headers)
    detail = with_advice(reason, detail)
    for name, raw, limit in (
        ("key", record.key, MAX_KEY_BYTES),
        ("value", record.value, MAX_VALUE_BYTES),
    ):
        if raw is not None and len(raw) > limit:
            whole = False
            detail += f"; here are the first {limit} of the {len(raw)} bytes of its {name}"
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail,
        key=_encoded(record.key, MAX_KEY_BYTES),
        value=_encoded(record.value, MAX_VALUE_BYTES),
        record_headers=headers,
        whole=whole,
        dead_at=now,
    )


def _kept_headers(record: RawRecord) -> tuple[tuple[str, bytes | None], ...]:
    size = sum(len(name) + len(value or b"") for name, value in record.headers)
    if size > MAX_HEADERS_BYTES:
        return ()
    return tuple((name, _encoded(value, MAX_HEADERS_BYTES)) for name, value in record.headers)


def _encoded(raw: bytes | None, limit: int) -> bytes | None:
    # The schema's Base64Bytes wants what stands in the JSON, and holds the bytes themselves.
    return None if raw is None else base64.b64encode(raw[:limit])
