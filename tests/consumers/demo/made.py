"""Facts as a run would bring them, at small figures that can be checked by hand."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Literal

from consumers.demo.events import SetAside
from schemas.base import Span
from schemas.dead_letter import DeadLetter
from schemas.evaluation import Comparison, EvaluationEvent, Outcome, RecordCounts
from schemas.model_version import Artifact, ModelVersion
from schemas.prediction import Prediction
from schemas.window import CloseReason, TrainingWindow, digest_ids, window_id

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TASK = "mood"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def window(
    number: int, *, records: int = 10, closed: float = 0.0, reason: CloseReason = CloseReason.COUNT
) -> TrainingWindow:
    span = Span(topic="labeled-texts", partition=0, start=number * 10, end=number * 10 + records)
    return TrainingWindow(
        window_id=window_id(TASK, span),
        task=TASK,
        span=span,
        num_records=records,
        digest=digest_ids([]),
        label_counts={"good": records},
        opened_at=T0,
        closed_at=at(closed),
        last_appended_at=at(closed),
        reason=reason,
    )


def evaluation(
    sequence: int,
    *windows: TrainingWindow,
    evaluated: float = 0.0,
    outcome: Outcome = Outcome.PROMOTED,
    kind: Literal["increment", "refresh"] = "increment",
    counts: RecordCounts | None = None,
) -> EvaluationEvent:
    records = sum(one.num_records for one in windows)
    return EvaluationEvent(
        task=TASK,
        sequence=sequence,
        kind=kind,
        champion=sequence - 1 if sequence else None,
        windows=tuple(one.window_id for one in windows),
        spans=tuple(one.span for one in windows),
        counts=counts or RecordCounts(learned=records),
        prequential_accuracy=0.75 if sequence else None,
        new=Comparison(num_records=40, champion=0.8, candidate=0.85),
        old=Comparison(num_records=30, champion=0.9, candidate=0.91),
        outcome=outcome,
        reason="no worse on both",
        seconds={"queue": 0.5, "fit": 1.0, "evaluate": 0.25, "export": 0.25},
        last_appended_at=windows[-1].last_appended_at if windows else None,
        evaluated_at=at(evaluated),
    )


def version(sequence: int) -> ModelVersion:
    file = Artifact(path="encoders/e.onnx", sha256="0" * 64, size_bytes=1)
    return ModelVersion(
        task=TASK,
        version=sequence,
        parent=None,
        kind="increment",
        attempt=f"{sequence}",
        uri="memory:///",
        encoder=file,
        tokenizer=file,
        head=file,
        labels=("bad", "good"),
        spans=(),
        metrics={},
        seconds={},
        created_at=T0,
    )


def prediction(text_id: str, sequence: int, *, answered: float = 0.0) -> Prediction:
    return Prediction(
        id=text_id,
        task=TASK,
        label="good",
        scores={"good": 0.9, "bad": 0.1},
        version=sequence,
        predicted_at=at(answered),
    )


def set_aside(
    offset: int,
    *,
    what: Literal["labeled", "text", "window"] = "labeled",
    value: bytes = b"{",
) -> SetAside:
    letter = DeadLetter(
        topic="labeled-texts",
        partition=0,
        offset=offset,
        reason="invalid_json",
        detail="not JSON",
        key=b64encode(TASK.encode()),
        value=b64encode(value),
        dead_at=T0,
    )
    return SetAside(what, DeadLetter.decode(letter.encode()))
