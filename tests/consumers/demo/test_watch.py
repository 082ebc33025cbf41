import json
from pathlib import Path
from types import SimpleNamespace

from consumers.demo.events import (
    RoleJoined,
    RoleTroubled,
    RoundEvaluated,
    SetAside,
    TrainingIdle,
    TrainingProgressed,
    VersionAnnounced,
)
from consumers.demo.watch import READERS, LogTail, fact_of, fact_of_line
from schemas import topics
from tests.consumers.demo import made


def line(event: str, level: str = "info", **fields: object) -> bytes:
    stamp = "2026-01-01T00:00:01.500000Z"
    return json.dumps({"event": event, "level": level, "timestamp": stamp, **fields}).encode()


def record(value: bytes) -> SimpleNamespace:
    return SimpleNamespace(value=value, timestamp=1767225601500, topic="t", partition=0, offset=7)


def test_progress_lines_keep_their_figures() -> None:
    fact = fact_of_line(line("training_progress", stage="fitting", step=3, steps=9), role="train")
    assert fact == TrainingProgressed("fitting", {"step": 3, "steps": 9}, made.at(1.5))


def test_idle_with_a_backlog_is_not_idle() -> None:
    assert fact_of_line(line("training_idle", backlog=0), role="train") == TrainingIdle(
        made.at(1.5)
    )
    assert fact_of_line(line("training_idle", backlog=2), role="train") is None


def test_a_role_with_its_partitions_has_joined() -> None:
    assert fact_of_line(line("assigned"), role="serve") == RoleJoined("serve")


def test_warnings_and_errors_are_told_with_their_last_line() -> None:
    raw = line("training_retried", "warning", error="X", exception="Traceback\nKeyError: 3")
    assert fact_of_line(raw, role="train") == RoleTroubled(
        "train", "warning", "training_retried", "error=X; KeyError: 3"
    )


def test_what_a_library_writes_states_nothing() -> None:
    sentence = line("Group Coordinator Request failed", "error")
    for raw in (sentence, b"Segmentation fault", b"[1]", b'{"event": "x"}', b"", b'"text"'):
        assert fact_of_line(raw, role="train") is None


def test_a_log_is_followed_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    tail = LogTail("train", path)
    assert tail.read() == []
    whole = line("training_idle", backlog=0) + b"\n"
    path.write_bytes(whole[:10])
    assert tail.read() == []
    path.write_bytes(whole + whole[:5])
    assert len(tail.read()) == 1
    assert tail.read() == []


def test_a_version_carries_the_time_at_which_the_broker_took_it() -> None:
    fact = fact_of(record(made.version(3).encode()), READERS[topics.MODEL_VERSIONS])
    assert fact == VersionAnnounced(made.version(3), made.at(1.5))


def test_records_become_facts_by_their_topic() -> None:
    evaluated = made.evaluation(0, made.window(0))
    fact = fact_of(record(evaluated.encode()), READERS[topics.EVALUATION_EVENTS])
    assert fact == RoundEvaluated(evaluated)
    letter = made.set_aside(4).letter
    fact = fact_of(record(letter.encode()), READERS[topics.TEXTS_DEAD])
    assert isinstance(fact, SetAside)
    assert (fact.what, fact.letter.offset) == ("text", 4)


def test_a_record_that_cannot_be_read_is_told_and_does_not_end_the_run() -> None:
    fact = fact_of(record(b"{"), READERS[topics.PREDICTIONS])
    assert isinstance(fact, RoleTroubled)
    assert "t/0/7" in fact.detail
