"""The dead letters that an installation holds: found, selected, and read whole one by one."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import pydantic_core
from pydantic import ValidationError

from consumers.dead_letters import MAX_KEY_BYTES, MAX_VALUE_BYTES, WINDOW_FAILED
from consumers.publisher import MissingTopicError
from consumers.records import BadRecordError, RawRecord, parse_labeled_text, place_of
from consumers.remedies import comes_back, without_advice
from consumers.settings import Settings
from consumers.whole_topic import TopicReader
from model.errors import RejectError, SpanMismatchError
from schemas.base import TASK_NAME
from schemas.dead_letter import DeadLetter
from schemas.labeled_text import Headers
from schemas.redriven import Redriven
from schemas.topics import DEAD_LETTERS_OF, REDRIVEN, Topic
from schemas.window import TrainingWindow

MAX_HEADING_CHARS = 200


class RecordGoneError(RejectError):
    """The letter holds only the beginning of its record, and the log holds it no more."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A dead letter without its bytes, and where it stands itself."""

    origin: str
    """`topic/partition/offset` of the record, the topic as on the broker."""
    topic: str
    """The record's, without the prefix."""
    reason: str
    detail: str
    """The beginning of what was wrong; what helps stands in `remedies`, by reason."""
    task: str | None
    dead_at: datetime
    value_bytes: int | None
    stands: tuple[str, int, int]
    redriven_to: str | None = None
    """Where the record stands that was sent again."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant; what is empty leaves all."""

    topic: str | None = None
    task: str | None = None
    reason: str | None = None
    since: datetime | None = None
    origins: Collection[str] = ()

    def takes(self, heading: Heading) -> bool:
        """Whether a letter is meant."""
        return (
            self.topic in (None, heading.topic)
            and self.task in (None, heading.task)
            and self.reason in (None, heading.reason)
            and (self.since is None or heading.dead_at >= self.since)
            and (not self.origins or heading.origin in self.origins)
        )


@dataclass(frozen=True, slots=True)
class Original:
    """A record as it was sent, and where it stands, the topic as on the broker."""

    topic: str
    partition: int
    origin: str
    """`topic/partition/offset`."""
    key: bytes | None
    value: bytes | None
    headers: Headers

    @classmethod
    def of(cls, record: RawRecord) -> Self:
        """A record as the log holds it."""
        place = (record.topic, record.partition, place_of(record))
        return cls(*place, record.key, record.value, tuple(record.headers))


@dataclass(frozen=True, slots=True)
class Due:
    """What a letter sends again."""

    records: Iterable[Original]
    """A failed window's are read as they are taken: `RecordGoneError` where some vanish by then."""
    num_records: int = 1
    gone: int = 0
    """How many more a failed window had, which retention has deleted."""


class DeadLetterLog:
    """Reads letters of any size one at a time: a list holds their headings alone."""

    def __init__(self, settings: Settings, reader: TopicReader) -> None:
        self._settings, self._reader = settings, reader
        self.unreadable = 0
        """Records on the topics of dead letters that are none."""

    def headings(self, selection: Selection) -> list[Heading]:
        """The letters that are meant, unique by origin (the newest counts), oldest first."""
        self.unreadable = 0
        marks = self._marks()
        found: dict[str, Heading] = {}
        for topic, dead in DEAD_LETTERS_OF.items():
            if selection.topic in (None, topic.name):
                for heading in self._headings(topic, self._settings.topic(dead.name)):
                    if selection.takes(heading):
                        found[heading.origin] = heading
        ordered = sorted(found.values(), key=lambda heading: (heading.dead_at, heading.origin))
        return list(_marked(ordered, marks))

    def letter(self, heading: Heading) -> DeadLetter:
        """The whole letter.

        Raises:
            RecordGoneError: retention has deleted it since it was listed.
        """
        record = self._reader.record(*heading.stands)
        if record is None:
            raise RecordGoneError(f"the dead letter of {heading.origin} is gone by now")
        return DeadLetter.decode(record.value)

    def original(self, letter: DeadLetter) -> Original:
        """The letter's record as it was sent; where the letter has only a part, from the log.

        Raises:
            RecordGoneError: the log does not hold it any more, or another in its place.
        """
        if _is_whole(letter):
            place = (letter.topic, letter.partition, letter.event_id)
            return Original(*place, letter.key, letter.value, letter.record_headers)
        record = self._reader.record(letter.topic, letter.partition, letter.offset)
        begins = (record.value or b"").startswith(letter.value or b"") if record else False
        if record is None or not begins:
            what = "holds it no more" if record is None else "holds another record there"
            raise RecordGoneError(f"{letter.event_id}: the letter has a part, and the log {what}")
        return Original.of(record)

    def due(self, letter: DeadLetter) -> Due:
        """The letter's record; of a window that failed, its records instead.

        The lineage accounts for a failed window, so that it would teach nothing by itself.

        Raises:
            RecordGoneError: the log does not hold them any more.
            SpanMismatchError: it holds others than the window was closed with, or the settings
                here refuse some of them.
        """
        original = self.original(letter)
        if letter.reason != WINDOW_FAILED:
            return Due([original])
        window = TrainingWindow.decode(original.value or b"")
        span = window.span
        ids = [name for name, _ in self._records_of(window)]
        gone = window.num_records - len(ids)
        # Asked behind the reading, so that what retention deleted meanwhile counts as deleted.
        deleted = self._reader.begins(span.topic, span.partition) - span.start
        # The ids of what retention has left cannot be compared with a digest over all of them.
        by_retention = 0 < gone <= deleted
        fault = self._refused_here(window) if by_retention else window.mismatch(ids)
        if fault is not None:
            raise SpanMismatchError(
                f"{fault}; redrive it with the limits that the windows role had (max_record_bytes, "
                "max_text_chars, max_label_chars, strict_tasks); where they are the same, the "
                "topic was made anew"
            )
        if not ids:
            raise RecordGoneError(f"the log holds no record of {span} any more")
        return Due(self._all_of(window, len(ids)), len(ids), gone)

    def _all_of(self, window: TrainingWindow, number: int) -> Iterator[Original]:
        """So many records, one at a time: those of a whole window may be too large for memory."""
        found = 0
        for _, record in self._records_of(window):
            found += 1
            yield record
        if found != number:
            raise RecordGoneError(f"retention deletes {window.span} while it is sent; try again")

    def _records_of(self, window: TrainingWindow) -> Iterator[tuple[str, Original]]:
        """Id and record of each that the log still holds."""
        span = window.span
        for record in self._reader.between(span.topic, span.partition, span.start, span.end):
            try:
                parsed = parse_labeled_text(record, settings=self._settings)
            except BadRecordError:
                continue  # it has a letter of its own
            if parsed.task == window.task:
                yield parsed.record.id, Original.of(record)

    def _refused_here(self, window: TrainingWindow) -> str | None:
        """Which of the window's records the settings here refuse, which those of its role took."""
        span, refused = window.span, set[str]()
        for record in self._reader.between(span.topic, span.partition, span.start, span.end):
            try:
                parse_labeled_text(record, settings=self._settings)
            except BadRecordError as error:
                if task_of(record.value) == window.task and not comes_back(error.reason):
                    refused.add(place_of(record))
        if refused:
            letters = self.headings(Selection(origins=refused))
            refused -= {heading.origin for heading in letters}
        return f"the limits here refuse {', '.join(sorted(refused)[:5])}" if refused else None

    def _headings(self, topic: Topic, dead: str) -> Iterator[Heading]:
        for record in self._reader.records(dead):
            try:
                letter = DeadLetter.decode(record.value or b"")
            except ValidationError:
                self.unreadable += 1
                continue
            yield Heading(
                origin=letter.event_id,
                topic=topic.name,
                reason=letter.reason,
                detail=without_advice(letter.reason, letter.detail)[:MAX_HEADING_CHARS],
                task=letter.task or task_of(letter.value),
                dead_at=letter.dead_at,
                value_bytes=None if letter.value is None else len(letter.value),
                stands=(dead, record.partition, record.offset),
            )

    def _marks(self) -> dict[str, Redriven]:
        marks = {}
        # The topic came with redriving: an installation from before it has none, nor any mark.
        with suppress(MissingTopicError):
            for record in self._reader.records(self._settings.topic(REDRIVEN.name)):
                with suppress(ValidationError):
                    mark = Redriven.decode(record.value or b"")
                    marks[mark.origin] = mark
        return marks


def task_of(value: bytes | None) -> str | None:
    """The task that a value names, if it can be read so far."""
    try:
        read = pydantic_core.from_json(value or b"")
    except ValueError:
        return None
    task = read.get("task") if isinstance(read, dict) else None
    return task if isinstance(task, str) and TASK_NAME.fullmatch(task) else None


def _marked(headings: Iterable[Heading], marks: Mapping[str, Redriven]) -> Iterator[Heading]:
    for heading in headings:
        mark = marks.get(heading.origin)
        yield heading if mark is None else replace(heading, redriven_to=mark.place)


def _is_whole(letter: DeadLetter) -> bool:
    # Letters written before `whole` was a field were cut at the same limits.
    cut = len(letter.value or b"") == MAX_VALUE_BYTES or len(letter.key or b"") == MAX_KEY_BYTES
    return letter.whole and not cut
