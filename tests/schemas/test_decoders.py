"""Readers refuse whatever is not theirs, with one error, in bounded time and memory."""

import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.control import Command
from schemas.dead_letter import DeadLetter
from schemas.evaluation import EvaluationEvent
from schemas.faults import MAX_DETAIL_CHARS, told
from schemas.labeled_text import LabeledText, TextToClassify
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.redriven import Redriven
from schemas.window import TrainingWindow
from tests.hostile import extremes, hostile

GOLDEN = Path(__file__).parent / "golden"
MOST_SECONDS = 20.0
"""On a machine that is busy; alone the slowest takes under a second."""
MOST_MEMORY_BYTES = 200 * 2**20


def golden(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return read


LABELED = {"id": "a", "task": "news", "text": "Profit rose", "label": "up", "source": "wire"}
Decode = Callable[[bytes], BaseModel]
READERS: dict[str, tuple[Decode, dict[str, Any], str]] = {
    "labeled text": (LabeledText.decode, LABELED, "label"),
    "text": (TextToClassify.decode, {"id": "a", "task": "news", "text": "Profit rose"}, "text"),
    "window": (TrainingWindow.decode, golden("training_window.v1"), "label_counts"),
    "version": (ModelVersion.decode, golden("model_version.v1"), "labels"),
    "evaluation": (EvaluationEvent.decode, golden("evaluation.v1.full"), "slices"),
    "command": (Command.decode, golden("command.v1"), "why"),
    "prediction": (Prediction.decode, golden("prediction.v1"), "scores"),
    "redriven": (Redriven.decode, golden("redriven.v1"), "who"),
    "dead letter": (DeadLetter.decode, golden("dead_letter.v1.headers"), "record_headers"),
}
readers = pytest.mark.parametrize("name", sorted(READERS))


def read(decode: Decode, raw: bytes) -> BaseModel | None:
    """What was read; None where it was refused, in few words."""
    try:
        return decode(raw)
    except ValidationError as error:
        detail = told(error)
    assert len(detail) <= MAX_DETAIL_CHARS
    return None


@readers
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_whatever_comes_is_read_or_refused_and_what_was_read_can_be_written(
    name: str, data: st.DataObject
) -> None:
    decode, example, _ = READERS[name]

    event = read(decode, data.draw(hostile(example)))

    if event is not None:
        assert decode(event.model_dump_json().encode()) == event


@readers
def test_extremes_are_dealt_with_in_bounded_time_and_memory(name: str) -> None:
    decode, example, field = READERS[name]
    for what, raw in extremes(example, field).items():
        tracemalloc.start()
        began = time.perf_counter()
        read(decode, raw)
        seconds = time.perf_counter() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert seconds < MOST_SECONDS, what
        assert peak < MOST_MEMORY_BYTES, what


@pytest.mark.parametrize(
    "name",
    ["command", "evaluation", "prediction", "redriven", "version", "window", "dead letter"],
)
def test_an_event_that_no_writer_can_have_sent_is_refused_unread(name: str) -> None:
    decode, _, _ = READERS[name]
    with pytest.raises(ValidationError) as caught:
        decode(b" " * (17 * 2**20))
    assert "17825792 bytes, more than the" in told(caught.value)


def test_of_many_faults_only_the_number_is_told() -> None:
    raw = json.dumps({**golden("prediction.v1"), "scores": dict.fromkeys(map(str, range(500)), 2)})
    with pytest.raises(ValidationError) as caught:
        Prediction.decode(raw)
    assert told(caught.value) == "500 faults"
