"""How dead letters are printed: safe for a terminal, whatever their records hold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from consumers.dead_letter_log import DeadLetterLog, Heading, RecordGoneError, Selection
from consumers.dead_letters import WINDOW_FAILED
from consumers.plural import counted
from consumers.printable import printable
from consumers.redrive import RedriveReport
from consumers.remedies import REMEDIES, comes_back
from schemas.dead_letter import DeadLetter

MOST_LINES = 50
"""Letters that are named one by one."""
SHOWN_CHARS = 4000
"""Of a value."""
INDENT = "  "
"""Of what is told of a letter, below its address."""


def counts_table(headings: Iterable[Heading]) -> Table:
    """How many records were refused for which reason."""
    letters: Counter[tuple[str, str]] = Counter()
    again: Counter[tuple[str, str]] = Counter()
    for heading in headings:
        letters[heading.topic, heading.reason] += 1
        again[heading.topic, heading.reason] += heading.redriven_to is not None
    table = Table("topic", "reason", "records", "sent again", box=SIMPLE_HEAD)
    for (topic, reason), number in letters.most_common():
        table.add_row(topic, _cell(reason), str(number), str(again[topic, reason]))
    table.add_row("all", "", str(letters.total()), str(again.total()))
    return table


def no_match(chosen: Selection, held: Sequence[Heading]) -> str:
    """What to say where none of these letters is meant: for each filter, what there is."""
    if not held:
        return "there are no dead letters"
    told = []
    for name in ("topic", "task", "reason"):
        if (wanted := getattr(chosen, name)) is not None:
            there = sorted({printable(getattr(each, name)) for each in held if getattr(each, name)})
            told.append(f"--{name} {printable(wanted)}, of {', '.join(there) or 'none'}")
    if chosen.since is not None:
        newest = max(heading.dead_at for heading in held)
        told.append(f"--since {chosen.since.isoformat()}, the newest of {newest.isoformat()}")
    return f"no dead letter matches: {'; '.join(told)}"


def remedies_table(headings: Iterable[Heading]) -> Table:
    """What helps for each reason that there is."""
    table = Table("reason", "what helps", box=SIMPLE_HEAD)
    for reason in sorted({heading.reason for heading in headings} & REMEDIES.keys()):
        table.add_row(reason, REMEDIES[reason].advice)
    return table


def newest_lines(headings: Sequence[Heading], *, width: int) -> Iterator[str]:
    """The newest letters one by one, so that each address can be copied.

    Lines are wrapped at `width` characters, but only between words: no address is ever broken.
    """
    if len(headings) > MOST_LINES:
        yield f"the newest {MOST_LINES} of {len(headings)}; `--json` has all"
    for heading in headings[-MOST_LINES:]:
        yield f"{printable(heading.origin)}  {printable(heading.reason)}"
        for told in _told(heading):
            yield from wrap(
                printable(told),
                width,
                initial_indent=INDENT,
                subsequent_indent=INDENT,
                break_long_words=False,
                break_on_hyphens=False,
            )


def _told(heading: Heading) -> Iterator[str]:
    """When it was refused and what it was, why, and where it went since."""
    size = None if heading.value_bytes is None else f"{heading.value_bytes} bytes"
    facts = (f"{heading.dead_at:%Y-%m-%d %H:%M:%S}", heading.task, size)
    yield ", ".join(fact for fact in facts if fact)
    yield heading.detail.removeprefix(f"{heading.origin}: ")
    if heading.redriven_to is not None:
        yield f"sent again as {heading.redriven_to}"


def _cell(text: str) -> Text:
    return Text(printable(text))


def facts(heading: Heading, letter: DeadLetter) -> Iterator[tuple[str, str]]:
    """What a letter says of its record, by name."""
    yield "record", printable(heading.origin)
    yield "task", heading.task or "-"
    yield "reason", printable(letter.reason)
    yield "detail", printable(letter.detail)
    yield "refused", letter.dead_at.isoformat()
    yield "sent again", printable(heading.redriven_to or "no")


def content(log: DeadLetterLog, letter: DeadLetter) -> Iterator[tuple[str, str]]:
    """The record itself; the part that the letter has, where the log does not hold it any more."""
    try:
        original = log.original(letter)
    except RecordGoneError as error:
        yield "note", printable(f"{error}; what follows is the part")
        headers, key, value = letter.record_headers, letter.key, letter.value
    else:
        headers, key, value = tuple(original.headers), original.key, original.value
    yield "key", "-" if key is None else printable(key[:SHOWN_CHARS])
    for name, content in headers:
        yield "header", f"{printable(name)} = {printable((content or b'')[:SHOWN_CHARS])}"
    yield "value", "- (none: a tombstone)" if value is None else f"{len(value)} bytes"
    if value:
        yield "", printable(value[:SHOWN_CHARS])
    if value and len(value) > SHOWN_CHARS:
        yield "", f"... {len(value) - SHOWN_CHARS} bytes more; --json has all that the letter holds"


def plan_lines(headings: Sequence[Heading]) -> Iterator[str]:
    """What a redrive of these would do."""
    due = [heading for heading in headings if heading.redriven_to is None]
    for heading in due[:MOST_LINES]:
        what = "the records of " if heading.reason == WINDOW_FAILED else ""
        yield f"would send {what}{printable(heading.origin)} again ({printable(heading.reason)})"
    if len(due) > MOST_LINES:
        yield f"... and {len(due) - MOST_LINES} more"
    yield f"letters: {len(due)} would be sent again; {len(headings) - len(due)} were sent before"


def warning_lines(headings: Iterable[Heading]) -> Iterator[str]:
    """Which of the letters that a redrive would send are refused again, and why."""
    due = Counter(heading.reason for heading in headings if heading.redriven_to is None)
    for reason, number in sorted(due.items()):
        if comes_back(reason):
            yield f"warning: {number} of {reason}: {REMEDIES[reason].advice}"


def report_lines(report: RedriveReport) -> Iterator[str]:
    """What a redrive did."""
    for origin, place in list(report.sent.items())[:MOST_LINES]:
        number, name = report.records[origin], printable(origin)
        one = f"{name} is sent again as"
        more = f"{number} records of {name} are sent again, the last as"
        yield f"{one if number == 1 else more} {printable(place)}"
    if len(report.sent) > MOST_LINES:
        yield f"... and {len(report.sent) - MOST_LINES} more"
    for origin, number in report.gone.items():
        records = counted(number, "record")
        yield f"{printable(origin)} had {records} more, which the log holds no more"
    for origin, why in report.kept.items():
        yield f"{printable(origin)} is kept: {printable(why)}"
    records = counted(sum(report.records.values()), "record")
    yield (
        f"letters: {len(report.sent)} sent again ({records}); "
        f"{len(report.before)} were sent before; {len(report.kept)} kept"
    )
