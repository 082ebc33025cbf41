"""Whatever stands on `labeled-texts`, the role goes on, and what it takes can be learned from."""

import asyncio
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from consumers.batches import PartitionBatch
from consumers.dead_letters import dead_letter_of
from consumers.publisher import Outgoing
from consumers.records import BadRecordError, parse_labeled_text, parse_text
from consumers.settings import Settings
from consumers.windows.agent import WindowsHandler
from model.config import HoldoutConfig, TaskConfig
from model.data import Record
from model.intake import take_in
from model.journal import Journal, from_parquet, to_parquet
from schemas.dead_letter import DeadLetter
from schemas.topics import LARGE_MESSAGE_BYTES
from tests.consumers.raw import raw
from tests.hostile import MEGABYTE, extremes, hostile
from tests.model.rows import rows_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PLACE = ("labeled-texts", 0)
LABELED = {
    "id": "a",
    "task": "news",
    "text": "Profit rose",
    "label": "up",
    "source": "wire",
    "event_time": "2026-01-01T00:00:00Z",
}
SETTINGS = Settings(flood_ratio=1, flood_in_a_row=0)


class Kafka:
    """Takes everything."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self.committed: int | None = None

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        self.published += records

    async def commit(self, offsets: dict[Any, int]) -> bool:
        self.committed = offsets[PLACE]
        return True


def handled(values: Sequence[bytes | None]) -> Kafka:
    """What the role does with these values."""
    kafka = Kafka()

    async def run() -> None:
        handler = WindowsHandler(SETTINGS, clock=lambda: NOW)
        handler._kafka = kafka  # type: ignore[assignment]
        await handler.assigned(frozenset([PLACE]))
        records = [raw(value, offset=offset) for offset, value in enumerate(values)]
        await handler.batch(PartitionBatch(*PLACE, records))

    asyncio.run(run())
    return kafka


def taken(values: Sequence[bytes | None]) -> list[Record]:
    """The records that training reads back."""
    records = []
    for offset, value in enumerate(values):
        with suppress(BadRecordError):
            records.append(parse_labeled_text(raw(value, offset=offset), settings=SETTINGS).record)
    return records


@examples(max_examples=100, deadline=None)
@given(st.lists(st.none() | hostile(LABELED), min_size=1, max_size=8))
def test_each_record_is_in_a_window_or_a_dead_letter_and_the_role_goes_on(
    values: list[bytes | None],
) -> None:
    kafka = handled(values)

    letters = [DeadLetter.decode(each.value or b"") for each in kafka.published]
    assert all(len(letter.detail) < 1000 for letter in letters)
    good = [record.offset for record in taken(values)]
    assert [letter.value for letter in letters] == [values[letter.offset] for letter in letters]
    assert sorted([*good, *(letter.offset for letter in letters)]) == [*range(len(values))]
    assert kafka.committed == (good[0] if good else len(values))


@examples(max_examples=100, deadline=None)
@given(st.lists(hostile(LABELED), min_size=1, max_size=8))
def test_what_is_taken_can_be_split_counted_written_down_and_read_back(values: list[bytes]) -> None:
    records = taken(values)
    intake = take_in(
        [("labeled-texts/0", len(values), records)],
        journal=Journal(horizon=100),
        labels=(),
        trained_through={},
        split=HoldoutConfig(),
        config=TaskConfig(),
    )
    rows = rows_of(intake)
    assert from_parquet(to_parquet(rows, dim=4)) == rows
    assert all(row.event_time.astimezone(UTC).year >= 1 for row in rows)  # as slices by month do


@examples(max_examples=100, deadline=None)
@given(hostile({"id": "a", "task": "news", "text": "Profit rose"}))
def test_a_text_is_read_or_has_a_reason_why_not(value: bytes) -> None:
    with suppress(BadRecordError):
        assert parse_text(raw(value), settings=SETTINGS).text.strip()


@pytest.mark.parametrize("name", sorted(extremes(LABELED, "label")))
def test_an_extreme_record_is_a_dead_letter_that_can_be_published(name: str) -> None:
    value = extremes(LABELED, "label")[name]
    tracemalloc.start()
    kafka = handled([value, None])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(len(each.value or b"") < LARGE_MESSAGE_BYTES for each in kafka.published)
    assert peak < 10 * len(value) + 10 * MEGABYTE


def test_the_letter_of_a_record_beyond_all_limits_can_be_published() -> None:
    record = raw(b"x" * 20 * MEGABYTE, key=b"k" * MEGABYTE)
    letter = dead_letter_of(record, reason="r", detail="d" * 500, now=NOW)
    size = len(letter.encode()) + len(letter.key or b"") + 1000
    assert size < LARGE_MESSAGE_BYTES
