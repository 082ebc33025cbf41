"""What travels: written strictly, read leniently, and readable for ever."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.base import Event, Span
from schemas.control import Command
from schemas.dead_letter import DeadLetter
from schemas.evaluation import EvaluationEvent
from schemas.labeled_text import LabeledText, TextToClassify, event_time, record_id
from schemas.model_version import Artifact, ModelVersion
from schemas.prediction import Prediction
from schemas.redriven import Redriven
from schemas.topics import TOPICS
from schemas.window import TrainingWindow, digest_ids

GOLDEN = Path(__file__).parent / "golden"
EVENTS: dict[str, type[Event]] = {
    "command": Command,
    "dead_letter": DeadLetter,
    "evaluation": EvaluationEvent,
    "model_version": ModelVersion,
    "prediction": Prediction,
    "redriven": Redriven,
    "training_window": TrainingWindow,
}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_example_parses_and_says_the_same_again(file: Path) -> None:
    """One file per event and schema version, never changed: `name.v1.json`.

    Fields that were added since say their defaults beside it.
    """
    kind = EVENTS[file.name.split(".")[0]]
    golden = json.loads(file.read_text(encoding="utf-8"))

    event = kind.decode(file.read_bytes())

    assert _as_far_as(golden, json.loads(event.encode())) == golden


def _as_far_as(golden: object, said: object) -> object:
    """What is said of the fields that the golden example has."""
    if isinstance(golden, dict) and isinstance(said, dict):
        return {k: _as_far_as(golden.get(k), v) for k, v in said.items() if k in golden}
    if isinstance(golden, list) and isinstance(said, list) and len(golden) == len(said):
        return [_as_far_as(*pair) for pair in zip(golden, said, strict=True)]
    return said


def test_every_event_has_a_golden_example() -> None:
    assert {file.name.split(".")[0] for file in GOLDEN.glob("*.v1.json")} == set(EVENTS)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_readers_ignore_fields_that_a_newer_writer_adds(name: str) -> None:
    raw = json.loads((GOLDEN / f"{name}.v1.json").read_text(encoding="utf-8"))

    event = EVENTS[name].decode(json.dumps({**raw, "added_later": [1, 2]}))

    assert "added_later" not in json.loads(event.encode())
    with pytest.raises(ValidationError, match="added_later"):
        EVENTS[name](**{**raw, "added_later": 1})


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_headers_are_cloud_events(name: str) -> None:
    event = EVENTS[name].decode((GOLDEN / f"{name}.v1.json").read_bytes())

    headers = dict(event.headers("/freshet/tests"))

    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == f"freshet.{event.event_type}.v1".encode()
    assert headers["ce_id"] == event.event_id.encode()
    assert headers["ce_source"] == b"/freshet/tests"
    assert datetime.fromisoformat(headers["ce_time"].decode()) == event.happened_at
    assert headers["content-type"] == b"application/json"


def test_a_dead_letter_holds_the_very_bytes() -> None:
    letter = DeadLetter.decode((GOLDEN / "dead_letter.v1.json").read_bytes())

    assert letter.value == b'{"text": \xff}'
    assert letter.key is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", "../other"),
        ("task", "News"),
        ("task", ""),
        ("text", "  \n"),
        ("label", " "),
        ("label", "two\nlines"),
        ("label", "l" * 201),
        ("id", ""),
        ("id", "i" * 201),
        ("event_time", "2026-01-02T03:04:05"),
    ],
)
def test_a_labeled_text_that_is_not_one_is_refused(field: str, value: str) -> None:
    good = {"task": "news", "text": "Profit rose", "label": "up"}

    with pytest.raises(ValidationError, match=field):
        LabeledText.decode(json.dumps({**good, field: value}))


def test_ids_and_labels_may_be_numbers() -> None:
    text = LabeledText.decode('{"id": 7, "task": "news", "text": "Profit rose", "label": 1}')

    assert (text.id, text.label) == ("7", "1")
    assert TextToClassify.decode('{"id": 8, "task": "news", "text": "x"}').id == "8"


def test_a_record_without_an_id_is_named_by_its_place() -> None:
    assert record_id(None, topic="labeled-texts", partition=3, offset=14) == "labeled-texts/3/14"
    assert record_id("a", topic="labeled-texts", partition=3, offset=14) == "a"


def test_a_time_far_ahead_of_the_broker_is_the_brokers() -> None:
    ahead = NOW.replace(year=2030)

    assert event_time(ahead, appended_at=NOW) == NOW
    assert event_time(None, appended_at=NOW) == NOW
    assert event_time(NOW.replace(year=2020), appended_at=NOW).year == 2020


def test_a_span_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValidationError, match="before its start"):
        Span(topic="t", partition=0, start=5, end=4)


@pytest.mark.parametrize("path", ["../up", "/abs", "a//b", "a/./b", "a/.hidden", "", "a b"])
def test_an_artifact_cannot_leave_the_store(path: str) -> None:
    with pytest.raises(ValidationError):
        Artifact(path=path, sha256="0" * 64, size_bytes=1)


def test_a_digest_tells_where_one_id_ends() -> None:
    assert digest_ids(["ab", "c"]) != digest_ids(["a", "bc"])
    assert digest_ids(["a", "b"]) != digest_ids(["b", "a"])


def test_a_window_says_how_what_the_log_holds_differs_from_it() -> None:
    span = Span(topic="t", partition=0, start=5, end=9)
    fields: dict[str, Any] = {
        "task": "mood",
        "span": span,
        "num_records": 2,
        "digest": digest_ids(["a", "b"]),
    }
    window = TrainingWindow.model_construct(None, **fields)
    assert window.mismatch(["a", "b"]) is None
    assert window.mismatch(["a"]) == "t/0/5-9 holds 1 valid records of mood, the window says 2"
    assert str(window.mismatch(["b", "a"])).endswith("says 2 with other ids")
    # Two ids with a line feed between them make the same lines as one that holds it.
    assert window.mismatch(["a\nb"]) is not None


def test_topics_have_names_of_their_own() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS) == 11
