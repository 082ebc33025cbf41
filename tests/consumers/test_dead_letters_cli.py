"""`freshet dead-letters`: what can be asked, and how it is printed."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from consumers.__main__ import app
from consumers.dead_letter_log import Selection
from consumers.dead_letter_tables import content, counts_table, newest_table, no_match, warnings
from consumers.dead_letters_cli import _since
from model.errors import ConfigError
from tests.consumers.test_dead_letter_log import letter, log_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["dead-letters", *arguments])
    return result.exit_code, result.output


def printed(table: object) -> str:
    console = Console(width=200, force_terminal=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_redrive_needs_a_choice() -> None:
    status, told = run("redrive")
    assert status == 2
    assert "--all" in told


@pytest.mark.parametrize("command", ["list", "show", "redrive"])
def test_every_command_explains_its_options(command: str) -> None:
    status, told = run(command, "--help")
    assert status == 0
    assert "bootstrap" in told


@pytest.mark.parametrize(
    ("given", "since"),
    [
        (None, None),
        ("90s", NOW - timedelta(seconds=90)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-01-01", NOW - timedelta(days=1)),
        ("2026-01-01T12:00:00+02:00", NOW - timedelta(hours=14)),
    ],
)
def test_since_is_a_time_or_so_long_ago(given: str | None, since: datetime | None) -> None:
    assert _since(given, now=NOW) == since


def test_since_must_be_a_time() -> None:
    with pytest.raises(ConfigError, match="neither ISO 8601"):
        _since("lately", now=NOW)


def test_counts_are_by_topic_and_reason() -> None:
    log = log_of([letter(1, b"{"), letter(2, b"["), letter(3, b"", reason="empty_text")])
    lines = printed(counts_table(log.headings(Selection()))).splitlines()
    counts = [line.split() for line in lines if line.startswith(("  labeled", "  all"))]
    assert counts == [
        ["labeled-texts", "invalid_json", "2", "0"],
        ["labeled-texts", "empty_text", "1", "0"],
        ["all", "3", "0"],
    ]


def test_what_strangers_wrote_reaches_no_terminal_as_it_is() -> None:
    nasty = letter(1, b"\x1b[2J[bold]", reason="a\x1b[31m\u202eb")
    log = log_of([nasty])
    table = printed(newest_table(log.headings(Selection())))
    assert r"a\x1b[31m\u202eb" in table
    assert dict(content(log, nasty))[""] == r"\x1b[2J[bold]"


def test_of_a_record_that_is_gone_the_part_is_shown_and_it_is_said() -> None:
    cut = letter(1, b"{ha").model_copy(update={"whole": False})
    shown = dict(content(log_of([]), cut))
    assert "the log holds it no more; what follows is the part" in shown["note"]
    assert (shown["value"], shown[""]) == ("3 bytes", "{ha")


def test_a_choice_that_meets_no_letter_says_what_there_is() -> None:
    log = log_of([letter(1, b"{"), letter(2, b"", reason="empty_text")])
    every = log.headings(Selection())
    assert no_match(every) == (
        "none of the 2 dead letters is chosen; there are reasons empty_text, invalid_json; "
        "topics labeled-texts"
    )
    assert no_match([]) == "there are no dead letters"


def test_a_redrive_warns_of_records_that_are_wrong_by_themselves() -> None:
    found = log_of([letter(1, b"{"), letter(2, b"x", reason="text_too_long")]).headings(Selection())
    [told] = warnings(found)
    assert told.startswith("letters: 1 are wrong by themselves (invalid_json)")
    assert list(warnings(found[1:])) == []
