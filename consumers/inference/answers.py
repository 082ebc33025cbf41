"""Turns texts and the versions at hand into what goes out: predictions and dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.dead_letters import dead_letter_of
from consumers.records import BadRecordError, RawRecord
from model.errors import RejectError
from model.predictor import Predictor, Scored
from schemas.dead_letter import DeadLetter
from schemas.labeled_text import TextToClassify, record_id
from schemas.prediction import Prediction

NO_MODEL, PREDICTION_FAILED = "no_model", "prediction_failed"
"""Reasons of dead letters."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the topic `texts`, and what it was read as."""

    record: RawRecord
    text: TextToClassify | BadRecordError


Current = Mapping[str, Predictor | None]
"""The version of each task, taken once for all texts that are answered together."""


def answer(
    entries: Sequence[Entry], current: Current, *, now: datetime
) -> list[Prediction | DeadLetter]:
    """One prediction or dead letter for each entry, in their order; blocks while it computes.

    A text of a task without a version becomes a dead letter: the caller has waited long enough.
    """
    by_task: dict[str, list[tuple[int, Entry, TextToClassify]]] = {}
    out: dict[int, Prediction | DeadLetter] = {}
    for index, entry in enumerate(entries):
        if isinstance(entry.text, BadRecordError):
            out[index] = _dead(entry.record, entry.text, now)
        else:
            by_task.setdefault(entry.text.task, []).append((index, entry, entry.text))
    for task, asked in by_task.items():
        predictor = current.get(task)
        scored = _scored(predictor, [text.text for _, _, text in asked], task)
        for (index, entry, text), result in zip(asked, scored, strict=True):
            if isinstance(result, BadRecordError):
                out[index] = _dead(entry.record, result, now)
            elif predictor is not None:
                out[index] = _prediction(entry.record, text, result, predictor.version, now)
    return [out[index] for index in range(len(entries))]


def _scored(
    predictor: Predictor | None, texts: list[str], task: str
) -> Sequence[Scored | BadRecordError]:
    """An answer to each text, or why there is none.

    Where a text breaks the graph, each is asked alone, so that it takes no other with it.
    """
    if predictor is None:
        fault = BadRecordError(NO_MODEL, f"no version of {task} was announced in time")
        return [fault] * len(texts)
    try:
        return predictor.predict(texts)
    except RejectError as e:
        if len(texts) == 1:
            return [BadRecordError(PREDICTION_FAILED, str(e))]
        return [_scored(predictor, [text], task)[0] for text in texts]


def _prediction(
    record: RawRecord, text: TextToClassify, scored: Scored, version: int, now: datetime
) -> Prediction:
    return Prediction(
        id=record_id(text.id, topic=record.topic, partition=record.partition, offset=record.offset),
        task=text.task,
        label=scored.label,
        scores=scored.scores,
        version=version,
        predicted_at=now,
    )


def _dead(record: RawRecord, fault: BadRecordError, now: datetime) -> DeadLetter:
    return dead_letter_of(record, reason=fault.reason, detail=fault.detail, now=now)
