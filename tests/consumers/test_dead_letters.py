"""Dead letters keep the very bytes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.dead_letters import (
    MAX_HEADERS_BYTES,
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    dead_letter_of,
)
from consumers.remedies import REMEDIES
from schemas.dead_letter import DeadLetter
from tests.consumers.raw import raw

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("value", [b"\xff\x00{", b"", None])
def test_a_dead_letter_keeps_origin_reason_and_bytes(value: bytes | None) -> None:
    letter = dead_letter_of(raw(value, key=None), reason="invalid_json", detail="why", now=NOW)
    read = DeadLetter.decode(letter.encode())
    assert read == letter
    assert (read.topic, read.partition, read.offset) == ("labeled-texts", 0, 7)
    assert (read.reason, read.key, read.value) == ("invalid_json", None, value)
    assert read.detail == f"why; {REMEDIES['invalid_json'].advice}"
    assert read.event_id == "labeled-texts/0/7"


def test_a_dead_letter_keeps_the_headers_of_its_record() -> None:
    headers = (("ce_id", b"1"), ("ce_id", b"\xff"), ("none", None))
    record = replace(raw(b"{"), headers=headers)
    letter = dead_letter_of(record, reason="r", detail="why", now=NOW)
    read = DeadLetter.decode(letter.encode())
    assert (read.record_headers, read.whole) == (headers, True)


def test_headers_that_would_not_fit_are_left_out_and_the_letter_says_that_it_is_not_whole() -> None:
    record = replace(raw(b"{"), headers=(("h", b"x" * MAX_HEADERS_BYTES),))
    letter = dead_letter_of(record, reason="r", detail="why", now=NOW)
    assert (letter.record_headers, letter.whole, letter.value) == ((), False, b"{")


def test_of_a_value_that_cannot_be_published_whole_the_beginning_is_kept() -> None:
    value = b"{" + b"x" * MAX_VALUE_BYTES
    letter = dead_letter_of(raw(value, key=b"k" * 300_000), reason="r", detail="why", now=NOW)
    assert letter.value == value[:-1]
    assert letter.key == b"k" * MAX_KEY_BYTES
    assert letter.detail == (
        "why; here are the first 200000 of the 300000 bytes of its key"
        "; here are the first 11000000 of the 11000001 bytes of its value"
    )
    assert letter.event_id == "labeled-texts/0/7"
    assert not letter.whole
