"""Turns texts and the versions at hand into what goes out: predictions and dead letters."""

from collections.abc import Callable, Mapping, Sequence
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
    entries: Sequence[Entry], current: Current, *, clock: Callable[[], datetime]
) -> list[Prediction | DeadLetter]:
    """One prediction or dead letter for each entry, in their order; blocks while it computes.

    A text of a task without a version becomes a dead letter: the caller has waited long enough.
    The time is taken last, when all is predicted: freshness is measured by it.
    """
    by_task: dict[str, dict[int, str]] = {}
    for index, entry in enumerate(entries):
        if isinstance(entry.text, TextToClassify):
            by_task.setdefault(entry.text.task, {})[index] = entry.text.text
    scored: dict[int, Scored | BadRecordError] = {}
    for task, texts in by_task.items():
        results = _scored(current.get(task), list(texts.values()), task)
        scored |= zip(texts, results, strict=True)
    now = clock()
    return [_outcome(entry, scored.get(i), current, now) for i, entry in enumerate(entries)]


def _outcome(
    entry: Entry, scored: Scored | BadRecordError | None, current: Current, now: datetime
) -> Prediction | DeadLetter:
    if isinstance(entry.text, BadRecordError):
        return _dead(entry.record, entry.text, now)
    predictor = current.get(entry.text.task)
    if predictor is None or scored is None or isinstance(scored, BadRecordError):
        fault = scored if isinstance(scored, BadRecordError) else _no_model(entry.text.task)
        return _dead(entry.record, fault, now)
    return _prediction(entry.record, entry.text, scored, predictor.version, now)


def _scored(
    predictor: Predictor | None, texts: list[str], task: str
) -> Sequence[Scored | BadRecordError]:
    """An answer to each text, or why there is none.

    Where a text breaks the graph, each is asked alone, so that it takes no other with it.
    """
    if predictor is None:
        return [_no_model(task)] * len(texts)
    try:
        return predictor.predict(texts)
    except RejectError as e:
        if len(texts) == 1:
            return [BadRecordError(PREDICTION_FAILED, str(e))]
        return [_scored(predictor, [text], task)[0] for text in texts]


def _no_model(task: str) -> BadRecordError:
    return BadRecordError(NO_MODEL, f"no version of {task} was announced in time")


def _prediction(
    record: RawRecord, text: TextToClassify, scored: Scored, version: int, now: datetime
) -> Prediction:
    return Prediction(
        id=record_id(
            text.id,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            headers=record.headers,
        ),
        task=text.task,
        label=scored.label,
        scores=scored.scores,
        version=version,
        predicted_at=now,
    )


def _dead(record: RawRecord, fault: BadRecordError, now: datetime) -> DeadLetter:
    return dead_letter_of(record, reason=fault.reason, detail=fault.detail, now=now)
