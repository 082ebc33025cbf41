"""`freshet dead-letters`: what can be asked, and how it is printed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from consumers import dead_letters_cli
from consumers.__main__ import app
from consumers.dead_letter_log import DeadLetterLog, Selection
from consumers.dead_letter_tables import content, counts_table, newest_lines, no_match
from consumers.dead_letters_cli import _since
from model.errors import ConfigError
from tests.consumers.raw import labeled
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


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two letters whose records are wrong themselves, and one of a task that a limit refused."""
    log = log_of(
        [
            letter(1, b"{"),
            letter(2, b"["),
            letter(3, labeled(text="long"), reason="text_too_long"),
        ]
    )

    @contextmanager
    def opened(_: object) -> Iterator[DeadLetterLog]:
        yield log

    monkeypatch.setattr(dead_letters_cli, "_opened", opened)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("held")
def test_list_says_what_helps_for_each_reason() -> None:
    status, told = run("list")
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert status == 0
    assert any(
        line.startswith("invalid_json the record itself is wrong, so that a redrive brings it back")
        for line in lines
    )
    assert any(line.startswith("text_too_long raise FRESHET_MAX_TEXT_CHARS") for line in lines)
    assert "labeled-texts/0/3  text_too_long" in told.splitlines()


@pytest.mark.usefixtures("held")
def test_a_redrive_warns_of_letters_that_come_back() -> None:
    status, told = run("redrive", "--all", "--dry-run")
    warnings = [line for line in told.splitlines() if line.startswith("warning:")]
    assert status == 0
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: 2 of invalid_json: the record itself is wrong")
    assert "warning" not in run("redrive", "--reason", "text_too_long", "--dry-run")[1]


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["redrive", "--dry-run"]])
def test_where_nothing_matches_the_filters_name_what_there_is(command: list[str]) -> None:
    _, told = run(*command, "--reason", "nosuch", "--task", "news")
    line = "no dead letter matches: --task news, of mood; "
    assert f"{line}--reason nosuch, of invalid_json, text_too_long" in told
    _, told = run(*command, "--topic", "texts")
    assert "no dead letter matches: --topic texts, of labeled-texts" in told
    _, told = run(*command, "--since", "2026-02-01")
    assert "--since 2026-02-01T00:00:00+00:00, the newest of 2026-01-02T00:03:00+00:00" in told
    assert "no dead letter" not in run(*command, "--reason", "invalid_json")[1]


@pytest.mark.usefixtures("held")
def test_named_records_that_a_filter_leaves_out_are_told_with_what_they_are() -> None:
    _, told = run("redrive", "labeled-texts/0/1", "--reason", "text_too_long", "--dry-run")
    assert "no dead letter matches: --reason text_too_long, of invalid_json" in told


def test_where_there_is_no_letter_at_all_that_is_said() -> None:
    assert no_match(Selection(reason="nosuch"), []) == "there are no dead letters"


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


@pytest.mark.parametrize("width", [10, 40, 80, 160])
def test_addresses_are_whole_however_narrow_the_terminal_is(width: int) -> None:
    [heading] = log_of([letter(123_456, b"", reason="text_too_long")]).headings(Selection())
    place = "staging.labeled-texts/3/123999"
    lines = list(newest_lines([replace(heading, redriven_to=place)], width=width))
    assert lines[0] == f"{heading.origin}  text_too_long"
    assert lines[-1].endswith(f" {place}")
    assert all(len(line) <= width for line in lines[1:] if " " in line.strip())


def test_of_many_the_newest_are_shown_and_it_is_said() -> None:
    log = log_of([letter(number, b"{") for number in range(53)])
    told = list(newest_lines(log.headings(Selection()), width=80))
    assert told[0] == "the newest 50 of 53; `--json` has all"
    assert sum(line.startswith("labeled-texts/") for line in told) == 50


def test_what_strangers_wrote_reaches_no_terminal_as_it_is() -> None:
    nasty = letter(1, b"\x1b[2J[bold]", reason="a\x1b[31m\u202eb")
    log = log_of([nasty])
    lines = newest_lines(log.headings(Selection()), width=80)
    assert r"a\x1b[31m\u202eb" in "\n".join(lines)
    assert dict(content(log, nasty))[""] == r"\x1b[2J[bold]"


def test_of_a_record_that_is_gone_the_part_is_shown_and_it_is_said() -> None:
    cut = letter(1, b"{ha").model_copy(update={"whole": False})
    shown = dict(content(log_of([]), cut))
    assert "the log holds it no more; what follows is the part" in shown["note"]
    assert (shown["value"], shown[""]) == ("3 bytes", "{ha")
