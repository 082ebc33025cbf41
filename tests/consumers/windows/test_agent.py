"""The windows role on a real broker."""

import json
import uuid
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from consumers.broker.clients import kafka_python_options
from consumers.settings import Settings
from schemas.control import Action, Command
from schemas.topics import CONTROL, LABELED_TEXTS
from schemas.window import CloseReason, digest_ids
from tests.consumers.raw import labeled
from tests.consumers.windows.stream import (
    becomes_committed,
    committed,
    dead_letters,
    logged,
    produce,
    role,
    tasks_file,
    trimmed,
    windows_until,
)

pytestmark = pytest.mark.broker


def close(settings: Settings, task: str = "mood") -> None:
    command = Command(
        command_id=uuid.uuid4().hex,
        action=Action.CLOSE,
        task=task,
        who="test",
        why="end of stream",
        given_at=datetime.now(UTC),
    )
    produce(settings, [command.encode()], topic=CONTROL)


def test_windows_close_by_count_and_age_and_bad_records_become_dead_letters(
    settings: Settings, tmp_path: Path
) -> None:
    config = tasks_file(tmp_path, records=3, max_age_seconds=3600)
    early, late = "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z"
    values = [labeled(id=f"i{n}", event_time=early) for n in range(2)]
    values += [b"{", labeled(id="i3", event_time=early), labeled(text="")]  # offsets 2 to 4
    values += [labeled(id="i5", event_time=early), labeled(id="i6", event_time=late)]
    produce(settings, values)
    windows = role(settings, tmp_path, FRESHET_CONFIG=config).start()
    try:
        first, second = windows_until(settings, lambda w: len(w) >= 2)
        assert (first.reason, str(first.span)[-5:]) == (CloseReason.COUNT, "0/0-4")
        assert first.digest == digest_ids(["i0", "i1", "i3"])
        assert (second.reason, str(second.span)[-5:]) == (CloseReason.AGE, "0/5-6")
        letters = dead_letters(settings, 2)
        assert [(x.offset, x.reason, x.value) for x in letters] == [
            (2, "invalid_json", b"{"),
            (4, "empty_text", values[4]),
        ]
        assert {(x.topic, x.key) for x in letters} == {(settings.topic("labeled-texts"), b"key")}
        assert becomes_committed(settings, 6)  # the window that i6 opened
    finally:
        assert windows.stop() == 0, windows.last_lines()
    assert committed(settings) == 6


def test_an_idle_window_closes_and_a_command_closes(settings: Settings, tmp_path: Path) -> None:
    config = tasks_file(tmp_path, records=100, max_idle_seconds=3)
    windows = role(settings, tmp_path, FRESHET_CONFIG=config).start()
    try:
        produce(settings, [labeled(task="quiet"), labeled()])
        produce(settings, [labeled()], partition=1)
        assert logged(windows, "assigned")
        close(settings)
        closed = windows_until(settings, lambda w: len(w) >= 3)
    finally:
        assert windows.stop() == 0, windows.last_lines()
    assert {(w.task, w.span.partition, w.reason) for w in closed} == {
        ("mood", 0, CloseReason.COMMAND),
        ("mood", 1, CloseReason.COMMAND),
        ("quiet", 0, CloseReason.IDLE),
    }


def test_a_command_given_while_the_role_was_down_cuts_where_it_was_given(
    settings: Settings, tmp_path: Path
) -> None:
    produce(settings, [labeled(), labeled()])
    close(settings)
    produce(settings, [labeled()])
    produce(settings, [labeled()], partition=1)
    close(settings)
    windows = role(settings, tmp_path).start()
    try:
        closed = windows_until(settings, lambda w: len(w) >= 3)
    finally:
        assert windows.stop() == 0, windows.last_lines()
    assert sorted((w.span.partition, w.span.start, w.span.end) for w in closed) == [
        (0, 0, 2),
        (0, 2, 3),
        (1, 0, 1),
    ]


def test_a_restart_mid_way_loses_and_repeats_nothing(settings: Settings, tmp_path: Path) -> None:
    config = tasks_file(tmp_path, records=10)
    windows = role(settings, tmp_path, FRESHET_CONFIG=config)
    for run, total in enumerate((25, 47, 60), start=1):
        produce(settings, [labeled() for _ in range(total - (0, 25, 47)[run - 1])])
        windows.start()
        closed = windows_until(settings, lambda w, full=total // 10: len(w) >= full)  # type: ignore[misc]
        assert becomes_committed(settings, total // 10 * 10)
        if run == 1:
            windows.kill()
        else:
            assert windows.stop() == 0, windows.last_lines()
    assert [(w.span.start, w.span.end) for w in closed] == [(n, n + 10) for n in range(0, 60, 10)]


def test_two_roles_and_a_crash_leave_no_gap_and_no_overlap(
    settings: Settings, tmp_path: Path
) -> None:
    config = tasks_file(tmp_path, records=50)
    first = role(settings, tmp_path, name="first", FRESHET_CONFIG=config).start()
    second = role(settings, tmp_path, name="second", FRESHET_CONFIG=config)
    try:
        for partition in (0, 1):
            produce(settings, [labeled() for _ in range(260)], partition=partition)
        windows_until(settings, lambda w: len(w) >= 2)
        second.start()  # joins while the first works
        assert logged(first, "assigned", 2)
        for partition in (0, 1):
            produce(settings, [labeled() for _ in range(260)], partition=partition)
        windows_until(settings, lambda w: {x.span.partition for x in w} == {0, 1})
        first.kill()
        for partition in (0, 1):
            produce(settings, [labeled() for _ in range(280)], partition=partition)
        assert becomes_committed(settings, 800)
        assert becomes_committed(settings, 800, partition=1)
    finally:
        first.kill()
        assert second.stop() == 0, second.last_lines()
    closed = windows_until(settings, lambda w: len(w) >= 32)
    assert all(w.num_records == 50 for w in closed)
    for spans in trimmed(closed).values():
        assert spans[0].start == 0
        assert all(a.end == b.start for a, b in pairwise(spans))
        assert spans[-1].end == 800


def test_a_flood_of_bad_records_stops_the_role(settings: Settings, tmp_path: Path) -> None:
    produce(settings, [labeled() for _ in range(8)] + [b"{" for _ in range(20)])
    flood = role(settings, tmp_path, FRESHET_FLOOD_RECORDS="20", FRESHET_FLOOD_RATIO="0.5").start()
    try:
        assert flood.wait(timeout_seconds=30) == 1
    finally:
        flood.kill()
    told = json.loads(flood.last_lines(1))
    assert (told["event"], told["kind"]) == ("role_failed", "FloodError")
    assert committed(settings) in {None, 0}


def test_a_committed_offset_below_the_log_stops_the_role_and_says_what_to_do(
    settings: Settings, tmp_path: Path
) -> None:
    produce(settings, [labeled() for _ in range(5)])
    windows = role(settings, tmp_path).start()
    try:
        assert becomes_committed(settings, 0)
        assert windows.stop() == 0
        admin = KafkaAdminClient(**kafka_python_options(settings))
        admin.delete_records({TopicPartition(settings.topic(LABELED_TEXTS.name), 0): 3})
        admin.close()
        assert windows.start().wait(timeout_seconds=30) == 1
    finally:
        windows.kill()
    told = json.loads(windows.last_lines(1))
    assert told["kind"] == "OffsetLostError"
    assert "--reset-offsets" in told["error"]


def test_a_missing_topic_stops_the_role_and_says_what_to_do(
    settings: Settings, tmp_path: Path
) -> None:
    windows = role(settings, tmp_path, FRESHET_PREFIX=f"{settings.prefix}other-").start()
    try:
        assert windows.wait(timeout_seconds=30) == 1
    finally:
        windows.kill()
    assert "freshet topics" in json.loads(windows.last_lines(1))["error"]
