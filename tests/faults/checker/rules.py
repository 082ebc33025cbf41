"""Which records are valid, as the schema document of `labeled-texts` and `texts` says."""

import json
import re
from datetime import datetime
from typing import Any

TASK = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}\Z")
MOST_CHARS = 200
"""Of an id, a label or a source."""


def labeled_text(value: bytes | None, *, max_text_chars: int) -> dict[str, Any] | None:
    """The fields of a labeled text, its label stripped; None where it is not a valid one."""
    fields = _text(value, max_text_chars)
    label = None if fields is None else fields.get("label")
    if fields is None or isinstance(label, bool) or not isinstance(label, str | int | float):
        return None
    label = str(label).strip()
    source = fields.get("source")
    sound = (
        0 < len(label) <= MOST_CHARS
        and not set(label) & set("\n\r\x00")
        and (source is None or (isinstance(source, str) and len(source) <= MOST_CHARS))
        and _is_time(fields.get("event_time"))
    )
    return {**fields, "label": label} if sound else None


def asking_text(value: bytes | None, *, max_text_chars: int) -> dict[str, Any] | None:
    """The fields of a text that asks for a label; None where it is not a valid one."""
    return _text(value, max_text_chars)


def id_of(fields: dict[str, Any], topic: str, partition: int, offset: int) -> str:
    """A record's own id, else where it stands."""
    given = fields.get("id")
    return f"{topic}/{partition}/{offset}" if given is None else str(given)


def _text(value: bytes | None, max_text_chars: int) -> dict[str, Any] | None:
    try:
        fields = json.loads((value or b"").decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    task, text, given = fields.get("task"), fields.get("text"), fields.get("id")
    sound = (
        isinstance(task, str)
        and TASK.match(task) is not None
        and isinstance(text, str)
        and bool(text.strip())
        and len(text) <= max_text_chars
        and (given is None or 0 < len(str(given)) <= MOST_CHARS)
    )
    return fields if sound else None


def _is_time(value: Any) -> bool:
    if value is None:
        return True
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False
