"""What comes in is a record of the model or has a reason why not."""

from datetime import UTC, datetime

import pytest

from consumers.records import BadRecordError, parse_labeled_text, parse_text
from consumers.settings import Settings, TasksFile
from tests.consumers.raw import labeled, raw

SETTINGS = Settings(max_text_chars=100)


def reason_of(value: bytes | None, settings: Settings = SETTINGS) -> str:
    with pytest.raises(BadRecordError) as caught:
        parse_labeled_text(raw(value), settings=settings)
    assert "labeled-texts/0/7" in caught.value.detail
    assert len(caught.value.detail) < 1000
    return caught.value.reason


def test_a_labeled_text_becomes_a_record_of_its_task() -> None:
    task, record = parse_labeled_text(
        raw(labeled(id="n1", event_time="1970-01-01T00:00:00.5Z", source="wire", extra=1)),
        settings=SETTINGS,
    )
    assert task == "mood"
    assert (record.id, record.text, record.label) == ("n1", "rates rose", "up")
    assert (record.topic, record.partition, record.offset) == ("labeled-texts", 0, 7)
    assert record.event_time == datetime(1970, 1, 1, microsecond=500_000, tzinfo=UTC)
    assert record.source == "wire"


def test_a_record_without_id_is_named_after_where_it_stands() -> None:
    assert parse_labeled_text(raw(labeled()), settings=SETTINGS).record.id == "labeled-texts/0/7"


def test_a_missing_or_far_future_event_time_is_the_append_time() -> None:
    appended = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    for value in (labeled(), labeled(event_time="2999-01-01T00:00:00Z")):
        assert parse_labeled_text(raw(value), settings=SETTINGS).record.event_time == appended


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"", "invalid_json"),
        (None, "invalid_json"),
        (b"[" * 10_000, "invalid_json"),
        (b"[]", "invalid_schema"),
        (labeled(task="Not A Task"), "invalid_schema"),
        (labeled(label=""), "invalid_schema"),
        (labeled(text=None), "invalid_schema"),
        (labeled(event_time="yesterday"), "invalid_schema"),
        (labeled(text=" \n"), "empty_text"),
        (labeled(text="", label=""), "invalid_schema"),
        (labeled(text="x" * 101), "text_too_long"),
    ],
)
def test_a_bad_record_has_a_reason(value: bytes | None, reason: str) -> None:
    assert reason_of(value) == reason


def test_a_label_longer_than_the_setting_is_bad() -> None:
    settings = Settings(max_label_chars=5)
    assert reason_of(labeled(label="sixsix"), settings) == "label_too_long"
    record = parse_labeled_text(raw(labeled(label="fivef")), settings=settings).record
    assert record.label == "fivef"


def test_a_record_larger_than_the_setting_is_refused_unread() -> None:
    settings = Settings(max_record_bytes=1024)
    assert reason_of(b" " * 1025, settings) == "record_too_large"
    assert reason_of(b" " * 1024, settings) == "invalid_json"
    with pytest.raises(BadRecordError, match="record_too_large"):
        parse_text(raw(b" " * 1025), settings=settings)


@pytest.mark.parametrize(
    "given", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T23:59:59Z"]
)
def test_an_event_time_that_utc_does_not_have_is_the_append_time(given: str) -> None:
    """It could not be written down with the record."""
    appended = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    record = parse_labeled_text(raw(labeled(event_time=given)), settings=SETTINGS).record
    assert record.event_time == appended


@pytest.mark.parametrize("timestamp", [-1, 2**63 - 1])
def test_an_append_time_that_no_calendar_has_stops_nothing(timestamp: int) -> None:
    """Of a topic that the broker does not stamp."""
    record = parse_labeled_text(raw(labeled(), timestamp=timestamp), settings=SETTINGS).record
    assert record.event_time.year in {1970, 9999}


def test_a_text_at_the_limit_is_taken() -> None:
    value = labeled(text="x" * 100)
    assert len(parse_labeled_text(raw(value), settings=SETTINGS).record.text) == 100


def test_an_unknown_task_is_bad_only_where_tasks_are_strict() -> None:
    tasks = TasksFile(tasks={"known": None})
    strict = Settings(strict_tasks=True).model_copy(update={"tasks_file": tasks})
    assert reason_of(labeled(), strict) == "unknown_task"
    assert parse_labeled_text(raw(labeled(task="known")), settings=strict).task == "known"
    assert parse_labeled_text(raw(labeled()), settings=SETTINGS).task == "mood"


def test_megabytes_of_input_do_not_come_back_in_the_detail() -> None:
    assert reason_of(labeled(label="y" * 1_000_000)) == "label_too_long"
    assert reason_of(labeled(task="y" * 1_000_000)) == "invalid_schema"


def test_a_text_to_classify_meets_the_same_limits() -> None:
    assert parse_text(raw(b'{"task":"mood","text":"hi"}'), settings=SETTINGS).text == "hi"
    with pytest.raises(BadRecordError) as caught:
        parse_text(raw(b'{"task":"mood","text":""}'), settings=SETTINGS)
    assert caught.value.reason == "empty_text"
