"""Sends the records of dead letters again, once what was wrong is mended.

A record keeps its id: its own, else `topic/partition/offset` of where it first stood, which travels
with it in the header `freshet-redriven-from`. What was sent again is marked on the topic `redriven`
(key: the origin; compacted, so a mark outlives its letter), and is not sent a second time. The mark
is written behind the record: after a crash between the two, or where two people redrive at once, a
record is sent twice, and being known by its id is a duplicate, learned once.

Of a window that could not be learned its records are sent, as far as the log holds them, and the
window is marked once the last is acknowledged: after a crash in between, all of them are sent anew.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from consumers.broker.clients import kafka_python_options, no_broker
from consumers.dead_letter_log import DeadLetterLog, Due, Heading, Original, RecordGoneError
from consumers.dead_letters import WINDOW_FAILED
from consumers.publisher import BrokerUnavailableError, MissingTopicError
from consumers.settings import Settings
from model.errors import SpanMismatchError
from schemas.labeled_text import REDRIVEN_FROM, Headers
from schemas.redriven import Redriven
from schemas.topics import LARGE_MESSAGE_BYTES, REDRIVEN

CHUNK = 50
"""Records in flight, of up to 11 MB each: those of so many letters, or of one failed window."""
PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class RedriveReport:
    """What was done with each letter, by its origin."""

    sent: dict[str, str] = field(default_factory=dict)
    """And where its record stands now, of a failed window the last."""
    records: dict[str, int] = field(default_factory=dict)
    """How many records were sent of each letter in `sent`: one, or a failed window's."""
    before: list[str] = field(default_factory=list)
    """Sent again earlier."""
    gone: dict[str, int] = field(default_factory=dict)
    """Of a failed window that is sent: how many of its records the log holds no more."""
    kept: dict[str, str] = field(default_factory=dict)
    """Not sent, or a failed window not to its end, and why."""


class Redriver:
    """A producer of records that were refused.

    Args:
        settings: broker and prefix.
        log: where the letters are read from.
        who: redrives, for the marks.

    Raises:
        BrokerUnavailableError: from any method; of what the broker took, the message counts what is
            marked, and the rest would be sent a second time.
        MissingTopicError: the topic of the marks was not made yet.
    """

    def __init__(self, settings: Settings, log: DeadLetterLog, *, who: str) -> None:
        self._log, self._who = log, who
        self._marks = settings.topic(REDRIVEN.name)
        try:
            self._producer: Any = KafkaProducer(
                **kafka_python_options(settings),
                acks="all",
                enable_idempotence=not settings.memory_broker,
                max_request_size=LARGE_MESSAGE_BYTES,
                # A record may be in the log only because its producer compressed it.
                compression_type="gzip",
                max_block_ms=int(1000 * PATIENCE_SECONDS),
            )
        except KafkaError as error:
            raise BrokerUnavailableError(no_broker(settings, error)) from error
        try:
            there = self._producer.partitions_for(self._marks)
        except KafkaTimeoutError:
            there = None
        if not there:
            raise MissingTopicError.of([self._marks])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._producer.close(timeout=PATIENCE_SECONDS if error is None else 0)

    def redrive(self, headings: Sequence[Heading]) -> RedriveReport:
        """Send again what was not sent again before.

        Chunk by chunk:

        1. read each letter, and from the log what it has only a part of or names, as a window does;
        2. send, and wait for each record;
        3. only then mark the letters whose records were all acknowledged, and wait.
        """
        report = RedriveReport(before=[h.origin for h in headings if h.redriven_to])
        for chunk in _chunks(h for h in headings if not h.redriven_to):
            sent = {}
            for heading in chunk:
                try:  # 1.
                    due = self._log.due(self._log.letter(heading))
                    sent[heading.origin] = due, self._all_again(due.records)
                except (RecordGoneError, SpanMismatchError) as error:
                    report.kept[heading.origin] = str(error)
            failure = self._awaited(sent, report)  # 2. and 3.
            if failure is not None:
                raise BrokerUnavailableError(
                    f"{len(report.sent)} letters were sent again and marked, then: {failure}"
                ) from failure
        return report

    def _all_again(self, originals: Iterable[Original]) -> list[Any]:
        """Send records in order; of the last `CHUNK`, and of one that failed, as `_send`."""
        flying: deque[Any] = deque()
        for original in originals:
            if len(flying) == CHUNK:
                try:
                    _acknowledged(flying.popleft())
                except KafkaError as error:
                    return [error]
            flying.append(self._again(original))
        return list(flying)

    def _again(self, original: Original) -> Any:
        """Send a record where it stood; as `_send`."""
        try:
            known = self._producer.partitions_for(original.topic) or ()
        except KafkaError as error:
            return error
        return self._send(
            original.topic,
            key=original.key,
            value=original.value,
            headers=list(redriven_headers(original.headers, original.origin)),
            # Beside what its key brought there; a topic made anew may have fewer partitions.
            partition=original.partition if original.partition in known else None,
        )

    def _send(self, topic: str, **record: Any) -> Any:
        """A future of the record; or the error that kept it from being sent."""
        try:
            return self._producer.send(topic, **record)
        except KafkaError as error:
            return error

    def _awaited(
        self, sent: dict[str, tuple[Due, list[Any]]], report: RedriveReport
    ) -> KafkaError | None:
        """Mark what the broker took whole; the first error that is not of a record alone."""
        failure = None
        marks: list[tuple[Redriven, Any]] = []
        for origin, (_, futures) in sent.items():
            try:
                place = [_acknowledged(future) for future in futures][-1]
            except MessageSizeTooLargeError:
                report.kept[origin] = (
                    "a record is larger than its topic takes (max.message.bytes), or, before it is "
                    f"compressed, than {LARGE_MESSAGE_BYTES} bytes"
                )
            except KafkaError as error:
                failure = failure or error
            else:
                mark = self._mark(origin, place)
                written = self._send(self._marks, key=origin.encode(), value=mark.encode())
                marks.append((mark, written))
        for mark, future in marks:
            try:
                _acknowledged(future)
            except KafkaError as error:
                failure = failure or error
            else:
                due, _ = sent[mark.origin]
                report.sent[mark.origin] = mark.place
                report.records[mark.origin] = due.num_records
                if due.gone:
                    report.gone[mark.origin] = due.gone
        return failure

    def _mark(self, origin: str, place: Any) -> Redriven:
        return Redriven(
            origin=origin,
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            who=self._who,
            redriven_at=datetime.now(UTC),
        )


def _acknowledged(future: Any) -> Any:
    """Where the broker put it; raises what kept it from being sent or taken."""
    if isinstance(future, KafkaError):
        raise future
    return future.get(timeout=PATIENCE_SECONDS)


def redriven_headers(headers: Headers, origin: str) -> Headers:
    """The record's own, and where it first stood; a record sent again before says that already."""
    if any(name == REDRIVEN_FROM for name, _ in headers):
        return headers
    return (*headers, (REDRIVEN_FROM, origin.encode()))


def _chunks(headings: Iterable[Heading]) -> Iterator[list[Heading]]:
    """Up to `CHUNK` letters of one record each, or one failed window; the order is kept."""
    for failed, run in groupby(headings, key=lambda heading: heading.reason == WINDOW_FAILED):
        while chunk := list(islice(run, 1 if failed else CHUNK)):
            yield chunk
