"""Reads spans of the log back with a plain kafka-python consumer: no group, no commits."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from consumers.broker.clients import kafka_python_options
from consumers.positions import records_between
from consumers.records import BadRecordError, parse_labeled_text
from consumers.settings import Settings
from model.data import Record
from model.errors import RetryError, SpanDeletedError
from schemas.base import Span


class LogUnavailableError(RetryError):
    """The broker does not answer, so that the log cannot be read back."""


class SpanLog:
    """The data set, as `model.data.Log` wants it.

    Bad records in a span are passed over: the windows role has sent them to dead letters.

    Args:
        settings: broker, limits and which tasks are known; the same as the windows role has.
        quiet_seconds: longest time without a record before the broker counts as silent.
    """

    def __init__(self, settings: Settings, *, quiet_seconds: float = 30.0) -> None:
        self._settings = settings
        self._quiet_seconds = quiet_seconds
        self._consumer: Any = None

    def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
        """The task's valid records in the span, in offset order.

        Raises:
            SpanDeletedError: `strict` is set and the log does not hold the whole span: retention
                has deleted some of it, or the topic was made anew.
            LogUnavailableError: the broker does not answer.
        """
        place = TopicPartition(span.topic, span.partition)
        with self._reading(place, span):
            start, end = self._held(place, span, strict=strict)
            return list(self._parsed(place, start, end, task))

    def ends(self, spans: Iterable[Span]) -> dict[str, int]:
        """Per `topic/partition` of these spans: where the log ends.

        Raises:
            LogUnavailableError: the broker does not answer.
        """
        found = {}
        for span in spans:
            place = TopicPartition(span.topic, span.partition)
            with self._reading(place, span):
                found[span.place] = int(self._consumer.end_offsets([place])[place])
        return found

    def close(self) -> None:
        """Leave the broker."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _held(self, place: TopicPartition, span: Span, *, strict: bool) -> tuple[int, int]:
        """Which offsets of the span the log holds: from, and up to."""
        first = int(self._consumer.beginning_offsets([place])[place])
        last = int(self._consumer.end_offsets([place])[place])
        if span.end > last:
            if not strict:
                return last, last  # what stands at these offsets now is something else
            msg = (
                f"{span} ends behind offset {last}, where the log ends: the topic seems to have "
                "been made anew since the window was closed"
            )
            raise SpanDeletedError(msg)
        if strict and first > span.start:
            msg = (
                f"{span} begins before offset {first}, where the log begins by now: retention has "
                "deleted records that were to be learned; raise retention.ms of the topic"
            )
            raise SpanDeletedError(msg)
        return max(first, span.start), span.end

    def _parsed(self, place: TopicPartition, start: int, end: int, task: str) -> Iterator[Record]:
        found = records_between(
            self._consumer,
            place,
            start,
            end,
            quiet_seconds=self._quiet_seconds,
            silent=LogUnavailableError,
        )
        for raw in found:
            yield from self._record(raw, task)

    def _record(self, raw: Any, task: str) -> Iterator[Record]:
        try:
            parsed = parse_labeled_text(raw, settings=self._settings)
        except BadRecordError:
            return
        if parsed.task == task:
            yield parsed.record

    @contextmanager
    def _reading(self, place: TopicPartition, span: Span) -> Iterator[None]:
        try:
            if self._consumer is None:
                self._consumer = KafkaConsumer(
                    **kafka_python_options(self._settings),
                    group_id=None,
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    max_poll_records=5000,
                )
            self._consumer.assign([place])
            yield
        except OffsetOutOfRangeError as error:
            msg = f"{span} is not in the log (any more): {error}"
            raise SpanDeletedError(msg) from error
        except KafkaError as error:
            self.close()
            msg = f"cannot read {span}: {error}"
            raise LogUnavailableError(msg) from error
