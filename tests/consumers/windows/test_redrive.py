"""`freshet dead-letters` on a real broker: from a refused record to the window that has it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumers.dead_letters import WINDOW_FAILED, dead_letter_of
from consumers.dead_letters_cli import app
from consumers.settings import Settings
from schemas.redriven import Redriven
from schemas.topics import LABELED_TEXTS, REDRIVEN, TRAINING_WINDOWS, TRAINING_WINDOWS_DEAD
from schemas.window import TrainingWindow, digest_ids
from tests.consumers.raw import labeled, raw
from tests.consumers.windows.stream import (
    Published,
    dead_letters,
    produce,
    role,
    tasks_file,
    windows_until,
)
from tests.faults.retention import delete_through

pytestmark = pytest.mark.broker


def freshet(settings: Settings, *arguments: str, **more: str) -> tuple[int, str]:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "FRESHET_PREFIX": settings.prefix,
        **more,
    }
    result = CliRunner().invoke(app, list(arguments), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_records_are_refused_listed_shown_and_sent_again_once(
    settings: Settings, tmp_path: Path
) -> None:
    config = tasks_file(tmp_path, records=2)
    long, named = labeled(text="too long"), labeled(id="n1", text="too long too")
    produce(settings, [long, b"\x1b[2J{", named, labeled(text="ok")])
    windows = role(settings, tmp_path, FRESHET_CONFIG=config, FRESHET_MAX_TEXT_CHARS="5").start()
    try:
        dead_letters(settings, 3)
    finally:
        assert windows.stop() == 0, windows.last_lines()
    topic = settings.topic(LABELED_TEXTS.name)

    listed = [json.loads(line) for line in freshet(settings, "list", "--json")[1].splitlines()]
    assert [(x["origin"], x["reason"], x["task"], x["redriven_to"]) for x in listed] == [
        (f"{topic}/0/0", "text_too_long", "mood", None),
        (f"{topic}/0/1", "invalid_json", None, None),
        (f"{topic}/0/2", "text_too_long", "mood", None),
    ]
    assert "text_too_long" in freshet(settings, "list")[1]
    shown = freshet(settings, "show", f"{topic}/0/1")[1]
    assert r"\x1b[2J{" in shown
    assert "\x1b" not in shown
    assert "no dead letter of" in told_of(settings, "show", f"{topic}/0/3")

    only = ("redrive", "--reason", "text_too_long")
    assert "2 would be sent again; 0 were" in freshet(settings, *only, "--dry-run")[1]
    assert "2 sent again (2 records); 0 were sent before" in freshet(settings, *only)[1]
    assert "0 sent again (0 records); 2 were sent before" in freshet(settings, *only)[1]
    marks = Published(settings, REDRIVEN)
    assert marks.until(lambda values: len(values) == 2)
    marks.close()
    assert [Redriven.decode(value).origin for value in marks.values] == [
        f"{topic}/0/0",
        f"{topic}/0/2",
    ]

    windows = role(settings, tmp_path, FRESHET_CONFIG=config).start()  # the limit is raised
    try:
        closed = windows_until(settings, lambda found: len(found) >= 1)
    finally:
        assert windows.stop() == 0, windows.last_lines()
    # The window that was open at the restart is read again, and the records that now pass join it.
    assert closed[0].digest == digest_ids([f"{topic}/0/3", f"{topic}/0/0"])


def test_a_record_that_came_compressed_goes_back_compressed(
    settings: Settings, tmp_path: Path
) -> None:
    value = labeled(text="a" * 3_000_000)
    produce(settings, [value], compression_type="gzip", max_request_size=4_000_000)
    windows = role(settings, tmp_path, FRESHET_CONFIG=tasks_file(tmp_path, records=2)).start()
    try:
        dead_letters(settings, 1)
    finally:
        assert windows.stop() == 0, windows.last_lines()

    told = freshet(settings, "redrive", "--reason", "record_too_large")[1]

    assert "1 sent again (1 record); 0 were sent before" in told


def fail(settings: Settings, window: TrainingWindow) -> None:
    """Set a window aside as training does."""
    record = raw(window.encode(), topic=settings.topic(TRAINING_WINDOWS.name), offset=0)
    now = datetime.now(UTC)
    letter = dead_letter_of(record, reason=WINDOW_FAILED, detail="no space left", now=now)
    produce(settings, [letter.encode()], topic=TRAINING_WINDOWS_DEAD)


def test_the_records_of_a_window_that_failed_come_in_another_window(
    settings: Settings, tmp_path: Path
) -> None:
    config = tasks_file(tmp_path, records=2)
    produce(settings, [labeled(text="a"), labeled(text="b", id="own")])
    windows = role(settings, tmp_path, FRESHET_CONFIG=config).start()
    try:
        failed = windows_until(settings, lambda found: len(found) == 1)[0]
        fail(settings, failed)

        told = freshet(settings, "redrive", "--reason", WINDOW_FAILED)[1]

        assert "letters: 1 sent again (2 records); 0 were sent before; 0 kept" in told
        closed = windows_until(settings, lambda found: len(found) == 2)[1]
    finally:
        assert windows.stop() == 0, windows.last_lines()
    assert closed.digest == failed.digest  # the ids, also of the record that brought none
    assert (closed.span.start, closed.span.end) == (2, 4)


def test_records_that_limits_leave_out_keep_a_window_and_those_that_retention_deletes_do_not(
    settings: Settings, tmp_path: Path
) -> None:
    produce(settings, [labeled(text="a"), labeled(text="longer")])
    windows = role(settings, tmp_path, FRESHET_CONFIG=tasks_file(tmp_path, records=2)).start()
    try:
        failed = windows_until(settings, lambda found: len(found) == 1)[0]
    finally:
        assert windows.stop() == 0, windows.last_lines()
    fail(settings, failed)
    again = ("redrive", "--reason", WINDOW_FAILED)

    status, told = freshet(settings, *again, FRESHET_MAX_TEXT_CHARS="5")

    assert status == 1
    assert "holds 1 valid records of mood, the window says 2; redrive it with the limits" in told
    assert "letters: 0 sent again (0 records); 0 were sent before; 1 kept" in told

    first = failed.span.model_copy(update={"end": failed.span.start + 1})
    assert delete_through(settings.bootstrap_servers, first) == first.end
    status, told = freshet(settings, *again)

    assert status == 0
    assert "had 1 record more, which the log holds no more" in told
    assert "letters: 1 sent again (1 record); 0 were sent before; 0 kept" in told


def told_of(settings: Settings, *arguments: str) -> str:
    environment: dict[str, Any] = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "FRESHET_PREFIX": settings.prefix,
    }
    return str(CliRunner().invoke(app, list(arguments), env=environment).exception)
