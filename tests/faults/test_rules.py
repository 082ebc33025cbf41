"""What the producer means is what the checker, and the windows role, take it for."""

from dataclasses import dataclass

import pytest

from consumers.records import BadRecordError, parse_text, valid_labeled_text
from consumers.settings import Settings
from tests.faults.checker.rules import asking_text, labeled_text
from tests.faults.stream import MAX_TEXT_CHARS, Planned, asking_stream, labeled_stream


@dataclass(frozen=True)
class Raw:
    """A record as a Kafka client gives it."""

    value: bytes | None
    topic: str = "labeled-texts"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


SETTINGS = Settings(max_text_chars=MAX_TEXT_CHARS)
CASES = 3000


@pytest.mark.parametrize("seed", [1, 2])
def test_checker_role_and_producer_agree_on_what_is_a_labeled_text(seed: int) -> None:
    stream = labeled_stream(seed)
    for planned in (next(stream) for _ in range(CASES)):
        meant = planned.intent in {"good", "duplicate", "corrected"}
        checked = labeled_text(planned.value, max_text_chars=MAX_TEXT_CHARS) is not None
        assert checked == meant == _taken(planned), planned.value


def test_checker_role_and_producer_agree_on_what_is_a_text() -> None:
    stream = asking_stream(1)
    for planned in (next(stream) for _ in range(CASES)):
        checked = asking_text(planned.value, max_text_chars=MAX_TEXT_CHARS) is not None
        try:
            parse_text(Raw(planned.value), settings=SETTINGS)
            taken = True
        except BadRecordError:
            taken = False
        assert checked == (planned.intent == "good") == taken, planned.value


def _taken(planned: Planned) -> bool:
    try:
        valid_labeled_text(Raw(planned.value), settings=SETTINGS)
    except BadRecordError:
        return False
    return True


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"task": "a", "text": "t", "label": true}'])
def test_what_the_producer_does_not_think_of_is_refused_by_both(value: bytes) -> None:
    assert labeled_text(value, max_text_chars=MAX_TEXT_CHARS) is None
    with pytest.raises(BadRecordError):
        valid_labeled_text(Raw(value), settings=SETTINGS)
