"""Times as files give them."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any


def parse_time(value: Any) -> datetime | None:
    """An aware time of an ISO 8601 text, a datetime, or epoch seconds (or milli-, micro-, nano-).

    Naive times are UTC; an empty text and a not-a-number are no time.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, str):
        value = _number(value) if _number(value) is not None else value.strip() or None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(_epoch_seconds(value), tz=UTC)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise ValueError(f"not a time: {value!r}")  # noqa: TRY004 - one error for the caller
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _epoch_seconds(value: float) -> float:
    # 1e11 s is the year 5138, and 1e11 ms was 1973: the magnitude tells the unit.
    for divisor in (1e9, 1e6, 1e3):
        if abs(value) >= 1e8 * divisor:
            return value / divisor
    return value


def _number(text: str) -> float | None:
    # "2020" is a year to a person and 34 minutes past 1970 to a machine: four digits are ISO.
    return float(text) if re.fullmatch(r"\s*-?\d{5,}(\.\d+)?\s*", text) else None
