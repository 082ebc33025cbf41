"""`freshet dead-letters`: what was refused and why, and the way back once that is mended."""

import json as jsons
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from consumers.console import opened_console
from consumers.dead_letter_log import DeadLetterLog, Heading, Selection
from consumers.dead_letter_tables import (
    content,
    counts_table,
    facts,
    newest_lines,
    no_match,
    plan_lines,
    remedies_table,
    report_lines,
    warning_lines,
)
from consumers.event_times import parse_time
from consumers.options import Servers, settings_of
from consumers.printable import printable
from consumers.redrive import Redriver
from consumers.settings import Settings
from consumers.who import this_user
from consumers.whole_topic import TopicReader
from model.errors import ConfigError, RejectError
from schemas.topics import DEAD_LETTERS_OF

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Records that could not be processed: why, and the way back once that is mended.",
)

TopicName = Literal["labeled-texts", "texts", "training-windows"]
TopicOption = Annotated[TopicName | None, typer.Option("--topic", help="Where the record stood.")]
TaskOption = Annotated[
    str | None, typer.Option("--task", help="Of this task, as far as the record names one.")
]
ReasonOption = Annotated[
    str | None,
    typer.Option("--reason", help="Refused for it, such as text_too_long, window_failed."),
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", help="Refused since then: ISO 8601, or 90s, 30m, 12h, 7d before now."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]
_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class UnknownLetterError(RejectError):
    """No dead letter has this origin."""


def run(arguments: Sequence[str]) -> None:
    """Run the command that these arguments name."""
    app(args=list(arguments), prog_name="freshet dead-letters")


@app.command("list")
def list_letters(
    *,
    topic: TopicOption = None,
    task: TaskOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    json: Json = False,
    bootstrap_servers: Servers = None,
) -> None:
    """List what was refused, each record once: counts by reason, then the newest, oldest first."""
    chosen = _selection(topic, task, reason, since)
    with _opened(settings_of(bootstrap_servers=bootstrap_servers)) as log:
        headings = log.headings(chosen)
        _warn_of_unreadable(log)
        if not headings:
            typer.echo(no_match(chosen, log.headings(Selection())), err=True)
            return
    if json:
        for heading in headings:
            typer.echo(_as_json(heading))
        return
    console = opened_console(highlight=False)
    console.print(counts_table(headings))
    console.print(remedies_table(headings))
    _tell(newest_lines(headings, width=console.width))


@app.command()
def show(
    origin: Annotated[str, typer.Argument(help="topic/partition/offset of the record.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print the whole letter as JSON, bytes in base64.")
    ] = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Show one letter: reason, and key, headers and value with all unprintable bytes escaped."""
    settings = settings_of(bootstrap_servers=bootstrap_servers)
    with _opened(settings) as log:
        heading = _named(log, settings, [origin])[0]
        letter = log.letter(heading)
        if json:
            typer.echo(letter.model_dump_json(indent=2))
            return
        for name, value in (*facts(heading, letter), *content(log, letter)):
            typer.echo(f"{name:<12}{value}")


@app.command()
def redrive(
    origins: Annotated[
        list[str] | None, typer.Argument(help="topic/partition/offset of each record.")
    ] = None,
    *,
    topic: TopicOption = None,
    task: TaskOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")
    ] = False,
    who: Annotated[str | None, typer.Option(help="Default: the user who runs this.")] = None,
    bootstrap_servers: Servers = None,
) -> None:
    """Send records again to where they stood, once what was wrong is mended; each only once.

    Of a window that failed, the records of its span are sent. Where the record itself is wrong, a
    redrive brings it back: a warning says so.

    Name records, or choose them by --topic, --task, --reason, --since, or take --all.
    """
    chosen = _selection(topic, task, reason, since)
    if not (origins or everything or chosen != Selection()):
        raise ConfigError(
            "nothing is chosen: name records, or give --topic, --task, --reason, --since or --all"
        )
    settings = settings_of(bootstrap_servers=bootstrap_servers)
    with _opened(settings) as log:
        found = _named(log, settings, origins) if origins else log.headings(chosen)
        headings = [heading for heading in found if chosen.takes(heading)]
        if not headings:
            held = found or log.headings(Selection())
            typer.echo(no_match(chosen, held), err=True)
        _tell(warning_lines(headings), err=True)
        if dry_run:
            _tell(plan_lines(headings))
            return
        with Redriver(settings, log, who=who or this_user()) as redriver:
            report = redriver.redrive(headings)
    _tell(report_lines(report))
    if report.kept:
        raise typer.Exit(1)


@contextmanager
def _opened(settings: Settings) -> Iterator[DeadLetterLog]:
    with TopicReader(settings) as reader:
        yield DeadLetterLog(settings, reader)


def _selection(
    topic: str | None, task: str | None, reason: str | None, since: str | None
) -> Selection:
    return Selection(topic, task, reason, _since(since, now=datetime.now(UTC)))


def _since(given: str | None, *, now: datetime) -> datetime | None:
    if given is None:
        return None
    if (ago := _AGO.fullmatch(given)) is not None:
        return now - timedelta(seconds=float(ago[1]) * _SECONDS[ago[2]])
    try:
        return parse_time(given)
    except (ValueError, OverflowError) as error:
        msg = f"--since {given!r} is neither ISO 8601 nor a time such as 90s, 30m, 12h, 7d"
        raise ConfigError(msg) from error


def _named(log: DeadLetterLog, settings: Settings, origins: Iterable[str]) -> list[Heading]:
    """The letters of these origins; the prefix of the topics may be left out."""
    ours = {topic.name for topic in DEAD_LETTERS_OF}
    wanted = {
        settings.topic(origin) if origin.split("/")[0] in ours else origin for origin in origins
    }
    found = log.headings(Selection(origins=wanted))
    if missing := wanted - {heading.origin for heading in found}:
        msg = f"no dead letter of {', '.join(map(printable, sorted(missing)))}"
        raise UnknownLetterError(f"{msg}; `freshet dead-letters list` names those that there are")
    return found


def _warn_of_unreadable(log: DeadLetterLog) -> None:
    if log.unreadable:
        typer.echo(f"{log.unreadable} records on these topics are no dead letters", err=True)


def _as_json(heading: Heading) -> str:
    fields = asdict(heading) | {"dead_at": heading.dead_at.isoformat()}
    return jsons.dumps(fields)


def _tell(lines: Iterable[str], *, err: bool = False) -> None:
    for line in lines:
        typer.echo(line, err=err)
