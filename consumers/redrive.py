"""Sends the records of dead letters again, once what was wrong is mended.

A record keeps its id: its own, else `topic/partition/offset` of where it first stood, which travels
with it in the header `freshet-redriven-from`. What was sent again is marked on the topic `redriven`
(key: the origin; compacted, so a mark outlives its letter), and is not sent a second time. The mark
is written behind the record: after a crash between the two, or where two people redrive at once, a
record is sent twice, and being known by its id is a duplicate, learned once.

Of a window that could not be learned its records are sent, as far as the log holds them, and the
window is marked behind the last.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from consumers.broker.clients import kafka_python_options, no_broker
from consumers.dead_letter_log import DeadLetterLog, Heading, Original, RecordGoneError
from consumers.publisher import BrokerUnavailableError, MissingTopicError
from consumers.settings import Settings
from schemas.labeled_text import REDRIVEN_FROM, Headers
from schemas.redriven import Redriven
from schemas.topics import LARGE_MESSAGE_BYTES, REDRIVEN

CHUNK = 50
"""Letters in flight, of a record of up to 11 MB each or of a failed window's; each chunk is marked
before the next is sent."""
PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class RedriveReport:
    """What was done with each letter, by its origin."""

    sent: dict[str, str] = field(default_factory=dict)
    """And where it stands now."""
    before: list[str] = field(default_factory=list)
    """Sent again earlier."""
    gone: dict[str, int] = field(default_factory=dict)
    """Of a failed window that is sent: how many of its records the log holds no more."""
    kept: dict[str, str] = field(default_factory=dict)
    """Not sent, and why."""


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

        1. read each letter, and from the log what it has only a part of;
        2. send, and wait for each;
        3. only then mark what was acknowledged, and wait.
        """
        report = RedriveReport(before=[h.origin for h in headings if h.redriven_to])
        for chunk in _chunks(h for h in headings if not h.redriven_to):
            sent = {}
            for heading in chunk:
                try:  # 1.
                    due = self._log.due(self._log.letter(heading))
                except RecordGoneError as error:
                    report.kept[heading.origin] = str(error)
                    continue
                if due.gone:
                    report.gone[heading.origin] = due.gone
                sent[heading.origin] = [self._again(original) for original in due.records]
            failure = self._awaited(sent, report)  # 2. and 3.
            if failure is not None:
                raise BrokerUnavailableError(
                    f"{len(report.sent)} records were sent again and marked, then: {failure}"
                ) from failure
        return report

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

    def _awaited(self, sent: dict[str, list[Any]], report: RedriveReport) -> KafkaError | None:
        """Mark what the broker took whole; the first error that is not of a record alone."""
        failure = None
        marks: list[tuple[Redriven, Any]] = []
        for origin, futures in sent.items():
            try:
                place = [_acknowledged(future) for future in futures][-1]
            except MessageSizeTooLargeError:
                report.kept[origin] = (
                    "larger than its topic takes (max.message.bytes), or, before it is compressed, "
                    f"than {LARGE_MESSAGE_BYTES} bytes"
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
                report.sent[mark.origin] = mark.place
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
    left = iter(headings)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
