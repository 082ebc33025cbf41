"""Roles that speak on the real topics and learn nothing: `python -m ... windows|train|serve`.

They let the demo be run as it is, over real sockets and processes, in a few seconds.
"""

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, KafkaProducer

from consumers.broker import kafka_python_options
from consumers.settings import Settings, load_settings
from consumers.telemetry import get_log, set_up_logging
from model.artifacts import ArtifactStore
from model.predictor import Predictor
from schemas import topics
from schemas.base import Span
from schemas.evaluation import Comparison, EvaluationEvent, Outcome, RecordCounts
from schemas.labeled_text import LabeledText, TextToClassify
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.window import CloseReason, TrainingWindow, digest_ids, window_id
from tests.model.tiny_onnx import store_version


def appended(record: Any) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, tz=UTC)


class FakeRole:
    """One consumer without a group and one producer."""

    def __init__(self, settings: Settings, *read: topics.Topic) -> None:
        self.settings = settings
        self.log = get_log()
        self.names = {settings.topic(topic.name): topic for topic in read}
        self.consumer = KafkaConsumer(
            *self.names, **kafka_python_options(settings), auto_offset_reset="earliest"
        )
        self.producer = KafkaProducer(**kafka_python_options(settings))

    def publish(self, topic: topics.Topic, value: bytes, task: str) -> None:
        self.producer.send(self.settings.topic(topic.name), value, key=task.encode()).get(10)

    def records(self) -> list[tuple[topics.Topic, Any]]:
        """What has come, or comes within the time of a poll."""
        polled = self.consumer.poll(timeout_ms=50)
        return [(self.names[r.topic], r) for records in polled.values() for r in records]


class FakeWindows(FakeRole):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, topics.LABELED_TEXTS, topics.CONTROL)
        self.open: list[Any] = []

    def step(self) -> None:
        for topic, record in self.records():
            task = (
                LabeledText.decode(record.value).task if topic is topics.LABELED_TEXTS else "colors"
            )
            if topic is topics.LABELED_TEXTS:
                self.open.append(record)
                if len(self.open) == self.settings.task(task).window.records:
                    self.close(task, CloseReason.COUNT)
            elif self.open:
                self.close(task, CloseReason.COMMAND)

    def close(self, task: str, reason: CloseReason) -> None:
        first, last = self.open[0], self.open[-1]
        span = Span(
            topic=last.topic, partition=last.partition, start=first.offset, end=last.offset + 1
        )
        window = TrainingWindow(
            window_id=window_id(task, span),
            task=task,
            span=span,
            num_records=len(self.open),
            digest=digest_ids([]),
            label_counts=Counter(LabeledText.decode(r.value).label for r in self.open),
            opened_at=appended(first),
            closed_at=datetime.now(UTC),
            last_appended_at=appended(last),
            reason=reason,
        )
        self.publish(topics.TRAINING_WINDOWS, window.encode(), task)
        self.open = []


class FakeTrain(FakeRole):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, topics.TRAINING_WINDOWS)
        self.store = ArtifactStore(settings.store)
        self.sequence = 0
        self.log.info("training_idle", backlog=0)

    def step(self) -> None:
        for _, record in self.records():
            self.learn(TrainingWindow.decode(record.value))

    def learn(self, window: TrainingWindow) -> None:
        self.log.info("training_progress", stage="fitting", step=1, steps=2)
        # The first version answers every text wrong, those after it right.
        version = store_version(self.store, self.sequence, head_turn=0 if self.sequence else 1)
        nothing = Comparison(num_records=0)
        evaluation = EvaluationEvent(
            task=window.task,
            sequence=self.sequence,
            kind="increment",
            champion=version.parent,
            windows=(window.window_id,),
            spans=(window.span,),
            counts=RecordCounts(learned=window.num_records),
            prequential_accuracy=None,
            new=nothing,
            old=nothing,
            outcome=Outcome.PROMOTED,
            reason="a fake promotes all",
            seconds={"queue": 0.0, "fit": 0.0, "evaluate": 0.0, "export": 0.0},
            last_appended_at=window.last_appended_at,
            evaluated_at=datetime.now(UTC),
        )
        self.publish(topics.MODEL_VERSIONS, version.encode(), window.task)
        self.publish(topics.EVALUATION_EVENTS, evaluation.encode(), window.task)
        self.sequence += 1
        self.log.info("training_idle", backlog=0)


class FakeServe(FakeRole):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, topics.TEXTS, topics.MODEL_VERSIONS)
        self.store = ArtifactStore(settings.store)
        self.version: ModelVersion | None = None
        self.waiting: list[TextToClassify] = []
        self.log.info("assigned")

    def step(self) -> None:
        for topic, record in self.records():
            if topic is topics.MODEL_VERSIONS:
                self.load(ModelVersion.decode(record.value))
            else:
                self.waiting.append(TextToClassify.decode(record.value))
        while self.version is not None and self.waiting:
            self.answer(self.waiting.pop(0), self.version)

    def load(self, version: ModelVersion) -> None:
        self.version = version
        self.predictor = Predictor.from_bytes(
            encoder=self.store.fetch(version.encoder),
            tokenizer=self.store.fetch(version.tokenizer),
            head=self.store.fetch(version.head),
            labels=version.labels,
            threads=1,
        )

    def answer(self, text: TextToClassify, version: ModelVersion) -> None:
        [scored] = self.predictor.predict([text.text])
        prediction = Prediction(
            id=text.id or "",
            task=text.task,
            label=scored.label,
            scores=scored.scores,
            version=version.version,
            predicted_at=datetime.now(UTC),
        )
        self.publish(topics.PREDICTIONS, prediction.encode(), text.task)


ROLES: dict[str, type[FakeWindows | FakeTrain | FakeServe]] = {
    "windows": FakeWindows,
    "train": FakeTrain,
    "serve": FakeServe,
}


def main() -> None:
    settings = load_settings()
    set_up_logging(level="info", log_format="json")
    role = ROLES[sys.argv[1]](settings)
    while True:
        role.step()


if __name__ == "__main__":
    main()
