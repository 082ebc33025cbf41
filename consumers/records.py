"""Validation at the edge: raw records in, typed ones out, or the reason why not."""

from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from consumers.settings import Settings
from model.data import Record
from model.errors import RejectError
from schemas.faults import told
from schemas.labeled_text import (
    Headers,
    LabeledText,
    TextToClassify,
    event_time,
    record_id,
)

_LAST_MILLISECONDS = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000)


class RawRecord(Protocol):
    """A record of aiokafka or of kafka-python."""

    @property
    def topic(self) -> str:
        """Where it stands."""
        ...

    @property
    def partition(self) -> int:
        """Where it stands."""
        ...

    @property
    def offset(self) -> int:
        """Where it stands."""
        ...

    @property
    def timestamp(self) -> int:
        """The broker's append time, in milliseconds since 1970."""
        ...

    @property
    def key(self) -> bytes | None:
        """Raw."""
        ...

    @property
    def value(self) -> bytes | None:
        """Raw."""
        ...

    @property
    def headers(self) -> Headers:
        """Raw."""
        ...


class BadRecordError(RejectError):
    """A record that can never be processed.

    Attributes:
        reason: short and fit for counting, such as `invalid_json`.
        detail: what and where, for a person; never the input itself. What helps stands in
            `remedies`, by reason.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class ParsedText(NamedTuple):
    """A labeled text and the task that it belongs to."""

    task: str
    record: Record


def appended_at(record: RawRecord) -> datetime:
    """The broker's append time."""
    return utc_of(record.timestamp)


def utc_of(milliseconds: int) -> datetime:
    """An append time since 1970, aware; of one that no calendar has, the nearest.

    Where a topic is not stamped by the broker, a producer may write there what it likes.
    """
    return datetime.fromtimestamp(min(max(milliseconds, 0), _LAST_MILLISECONDS) / 1000, UTC)


def valid_labeled_text(record: RawRecord, *, settings: Settings) -> LabeledText:
    """Validate one record of `labeled-texts`: what is valid here is in a window, and is learned.

    Raises:
        BadRecordError: it is not a labeled text, or one that the settings refuse.
    """
    _check_size(record, settings)
    try:
        text = LabeledText.decode(record.value)  # type: ignore[arg-type]
    except ValidationError as error:
        raise _bad(record, error) from error
    if len(text.text) > settings.max_text_chars or settings.strict_tasks:
        _check(record, text.task, text.text, settings)
    if len(text.label) > settings.max_label_chars:
        detail = (
            f"{place_of(record)}: label has {len(text.label)} characters, more than "
            f"max_label_chars = {settings.max_label_chars}"
        )
        raise BadRecordError("label_too_long", detail)
    return text


def parse_labeled_text(record: RawRecord, *, settings: Settings) -> ParsedText:
    """Validate one record of `labeled-texts` and make it one of the model's.

    Raises:
        BadRecordError: as `valid_labeled_text`.
    """
    text = valid_labeled_text(record, settings=settings)
    topic, partition, offset = record.topic, record.partition, record.offset
    return ParsedText(
        text.task,
        Record(
            record_id(
                text.id, topic=topic, partition=partition, offset=offset, headers=record.headers
            ),
            text.text,
            text.label,
            topic,
            partition,
            offset,
            event_time(text.event_time, appended_at=appended_at(record)),
            text.source,
        ),
    )


def parse_text(record: RawRecord, *, settings: Settings) -> TextToClassify:
    """Validate one record of `texts`.

    Raises:
        BadRecordError: it is not a text to classify, or one that the settings refuse.
    """
    _check_size(record, settings)
    try:
        text = TextToClassify.decode(record.value)  # type: ignore[arg-type]
    except ValidationError as error:
        raise _bad(record, error) from error
    _check(record, text.task, text.text, settings)
    return text


def _check_size(record: RawRecord, settings: Settings) -> None:
    if record.value is not None and len(record.value) > settings.max_record_bytes:
        detail = (
            f"{place_of(record)}: it has {len(record.value)} bytes, more than max_record_bytes = "
            f"{settings.max_record_bytes}"
        )
        raise BadRecordError("record_too_large", detail)


def _check(record: RawRecord, task: str, text: str, settings: Settings) -> None:
    if len(text) > settings.max_text_chars:
        detail = (
            f"{place_of(record)}: text has {len(text)} characters, more than max_text_chars = "
            f"{settings.max_text_chars}"
        )
        raise BadRecordError("text_too_long", detail)
    if settings.strict_tasks and not settings.knows(task):
        detail = (
            f"{place_of(record)}: task {task!r} is not in the tasks file, and strict_tasks is on"
        )
        raise BadRecordError("unknown_task", detail)


def _bad(record: RawRecord, error: ValidationError) -> BadRecordError:
    if record.value is None:
        return BadRecordError("invalid_json", f"{place_of(record)}: it has no value (a tombstone)")
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        reason = "invalid_json"
    elif all(fault["loc"] == ("text",) and fault["type"] == "value_error" for fault in faults):
        reason = "empty_text"
    elif all(fault["loc"] == ("label",) and fault["type"] == "string_too_long" for fault in faults):
        reason = "label_too_long"
    else:
        reason = "invalid_schema"
    return BadRecordError(reason, f"{place_of(record)}: {told(error)}")


def place_of(record: RawRecord) -> str:
    """Where it stands, as `topic/partition/offset`."""
    return f"{record.topic}/{record.partition}/{record.offset}"
