"""Spans read back from a real broker: whole, in order, and never silently smaller."""

from collections.abc import Iterator

import pytest

from consumers.training.span_log import SpanLog
from model.errors import SpanDeletedError
from schemas.base import Span
from schemas.topics import LABELED_TEXTS
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded
from tests.integration.texts import TASK, labeled


@pytest.fixture
def here(install: Install) -> Installation:
    return install()


@pytest.fixture
def log(here: Installation) -> Iterator[SpanLog]:
    made = SpanLog(here.settings, quiet_seconds=2.0)
    yield made
    made.close()


def span_of(here: Installation, start: int, end: int, *, partition: int = 0) -> Span:
    topic = here.settings.topic(LABELED_TEXTS.name)
    return Span(topic=topic, partition=partition, start=start, end=end)


def test_a_span_comes_back_whole_and_in_order(here: Installation, log: SpanLog) -> None:
    here.write(encoded(labeled(30)))
    here.write(encoded(labeled(5, ids="other")), partition=1)
    records = log.read(TASK, span_of(here, 10, 25), strict=True)
    assert [record.offset for record in records] == list(range(10, 25))
    assert [record.id for record in records] == [f"id-{n}" for n in range(10, 25)]
    other = log.read(TASK, span_of(here, 0, 5, partition=1), strict=True)
    assert [record.id for record in other] == [f"other-{n}" for n in range(5)]


def test_an_empty_span_reads_nothing(here: Installation, log: SpanLog) -> None:
    here.write(encoded(labeled(3)))
    assert log.read(TASK, span_of(here, 2, 2), strict=True) == []


def test_bad_records_and_other_tasks_are_passed_over(here: Installation, log: SpanLog) -> None:
    texts = encoded(labeled(6))
    other = encoded(labeled(2, task="other"))
    here.write([texts[0], b"not JSON", texts[1], *other, b'{"text": ""}', *texts[2:]])
    records = log.read(TASK, span_of(here, 0, 10), strict=True)
    assert [record.id for record in records] == [f"id-{n}" for n in range(6)]
    assert [r.id for r in log.read("other", span_of(here, 0, 10), strict=True)] == ["id-0", "id-1"]


def test_what_retention_deleted_is_an_error_where_it_must_be_whole(
    here: Installation, log: SpanLog
) -> None:
    here.write(encoded(labeled(20)))
    here.delete_below(8)
    with pytest.raises(SpanDeletedError, match=r"begins before offset 8.*raise retention\.ms"):
        log.read(TASK, span_of(here, 5, 15), strict=True)
    left = log.read(TASK, span_of(here, 5, 15), strict=False)
    assert [record.offset for record in left] == list(range(8, 15))
    assert log.read(TASK, span_of(here, 0, 5), strict=False) == []
    whole = log.read(TASK, span_of(here, 8, 15), strict=True)
    assert [record.offset for record in whole] == list(range(8, 15))


def test_a_span_beyond_the_end_of_the_log_is_gone_and_nothing_waits_for_it(
    here: Installation, log: SpanLog
) -> None:
    here.write(encoded(labeled(3)))
    with pytest.raises(SpanDeletedError, match=r"behind offset 3.*made anew"):
        log.read(TASK, span_of(here, 0, 9), strict=True)
    assert log.read(TASK, span_of(here, 0, 9), strict=False) == []
    assert len(log.read(TASK, span_of(here, 0, 3), strict=True)) == 3


def test_the_ends_of_the_log_are_told_by_place(here: Installation, log: SpanLog) -> None:
    here.write(encoded(labeled(3)))
    here.write(encoded(labeled(2)), partition=1)
    spans = [span_of(here, 0, 9), span_of(here, 0, 1, partition=1)]
    assert log.ends(spans) == {spans[0].place: 3, spans[1].place: 2}
