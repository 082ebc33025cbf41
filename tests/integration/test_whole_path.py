"""The path of one labeled text: window, evaluation, version, swap, answer, on a real broker."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.base import Event
from schemas.evaluation import EvaluationEvent, Outcome
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.topics import EVALUATION_EVENTS, MODEL_VERSIONS, PREDICTIONS, TRAINING_WINDOWS
from schemas.window import CloseReason, TrainingWindow, digest_ids
from tests.integration.books import in_the_log, read_books
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded
from tests.integration.texts import TASK, labeled, questions, relabeled

EVENTS: dict[str, tuple[type[Event], str]] = {
    TRAINING_WINDOWS.name: (TrainingWindow, "freshet.window_closed.v1"),
    EVALUATION_EVENTS.name: (EvaluationEvent, "freshet.update_evaluated.v1"),
    MODEL_VERSIONS.name: (ModelVersion, "freshet.version_promoted.v1"),
    PREDICTIONS.name: (Prediction, "freshet.predicted.v1"),
}
WINDOW = 40
NEW_LABEL = "delicious"


@pytest.fixture(scope="module")
def done(install: Install) -> Installation:
    """Four windows and a rest are learned and answered; the third one brings a new label."""
    here = install(records=WINDOW)
    with here.roles("windows", "train", "serve"):
        here.write(encoded(labeled(2 * WINDOW)))
        here.until(lambda: bool(here.versions()))
        here.await_serve()
        here.ask(questions(5))
        here.until(lambda: len(here.predictions()) == 5)
        mixed = [*labeled(WINDOW, start=2 * WINDOW), *relabeled(WINDOW, NEW_LABEL)]
        here.write(encoded(mixed))
        here.until(lambda: here.labels_learned(TASK) == 4 * WINDOW)
        here.write(encoded(labeled(7, start=4 * WINDOW)))
        here.close_windows(TASK)
        here.until(lambda: here.labels_learned(TASK) == 4 * WINDOW + 7)
        last = here.versions()[-1].version
        here.until(lambda: last in {e["version"] for e in here.logged("serve", "version_swapped")})
        here.ask(questions(5, start=1000))
        here.until(
            lambda: {f"question-{n}" for n in range(1000, 1005)} <= here.predictions().keys()
        )
    here.read_on()
    return here


def test_every_event_fits_its_schema_and_carries_cloudevents_headers(done: Installation) -> None:
    for topic, (kind, event_type) in EVENTS.items():
        assert done.records[topic], topic
        for record in done.records[topic]:
            event = kind.model_validate_json(record.value, extra="forbid")
            headers = dict(record.headers)
            assert headers["ce_specversion"] == b"1.0"
            assert headers["ce_type"] == event_type.encode()
            assert headers["ce_id"] == event.event_id.encode()
            assert headers["ce_source"]
            assert datetime.fromisoformat(headers["ce_time"].decode()) == event.happened_at
            assert headers["content-type"] == b"application/json"
            if not isinstance(event, Prediction):
                assert record.key == TASK.encode()


def test_windows_say_what_the_log_says(done: Installation) -> None:
    windows = done.windows()
    assert [w.reason for w in windows] == [*[CloseReason.COUNT] * 4, CloseReason.COMMAND]
    assert [w.num_records for w in windows] == [WINDOW] * 4 + [7]
    ids = [json.loads(record.value)["id"] for record in done.records["labeled-texts"]]
    for window in windows:
        assert window.digest == digest_ids(ids[window.span.start : window.span.end])
        assert sum(window.label_counts.values()) == window.num_records


def test_the_lineage_on_disk_names_the_spans_that_the_events_name(done: Installation) -> None:
    entries = _entries(done)
    windows = {window.window_id: window.span for window in done.windows()}
    assert len(entries) == len(done.evaluations())
    for entry, event in zip(entries, done.evaluations(), strict=True):
        assert EvaluationEvent.model_validate(entry["evaluation"]) == event
        assert [windows[name] for name in event.windows] == list(event.spans)
        assert entry["spans"] == [span.model_dump() for span in event.spans]
    announced = [entry["version"] for entry in entries if entry["version"] is not None]
    assert [ModelVersion.model_validate(version) for version in announced] == done.versions()
    promoted = [e.sequence for e in done.evaluations() if e.outcome is Outcome.PROMOTED]
    assert [version.version for version in done.versions()] == promoted
    for version in done.versions()[1:]:
        assert version.parent in promoted


def test_the_graphs_on_disk_are_those_that_were_announced(done: Installation) -> None:
    for version in done.versions():
        assert Path(version.uri) == Path(done.settings.store)
        for artifact in (version.encoder, version.head, version.tokenizer):
            data = (Path(version.uri) / artifact.path).read_bytes()
            assert hashlib.sha256(data).hexdigest() == artifact.sha256
            assert len(data) == artifact.size_bytes
    assert len({version.encoder.sha256 for version in done.versions()}) == 1
    heads = {version.head.sha256 for version in done.versions()}
    assert len(heads) == len(done.versions())


def test_the_books_add_up(done: Installation) -> None:
    log = done.records["labeled-texts"]
    books = read_books(Path(done.settings.store), TASK, log)
    assert set(books.taken) == in_the_log(log, TASK)
    assert set(books.taken.values()) == set(books.taught.values()) == {1}
    produced = len(log)
    sums = books.sums
    assert produced == sums["learned"] + sums["held_out"] == 4 * WINDOW + 7
    assert not done.records["labeled-texts.dead-letters"]


def test_a_prediction_has_a_column_for_a_label_that_came_mid_way(done: Installation) -> None:
    first, last = done.versions()[0], done.versions()[-1]
    assert NEW_LABEL not in first.labels
    assert last.labels[: len(first.labels)] == first.labels
    assert last.labels[-1] == NEW_LABEL
    answers = done.predictions()
    for answer in answers.values():
        labels = next(v.labels for v in done.versions() if v.version == answer.version)
        assert set(answer.scores) == set(labels)
        assert sum(answer.scores.values()) == pytest.approx(1.0, abs=1e-5)
        assert answer.scores[answer.label] == max(answer.scores.values())
    assert {answers[f"question-{n}"].version for n in range(1000, 1005)} == {last.version}
    assert min(answer.version for answer in answers.values()) < last.version


def _entries(done: Installation) -> list[dict[str, Any]]:
    folder = Path(done.settings.store) / "tasks" / TASK / "lineage"
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
