"""The one table of topics that code, tests and the cluster agree on."""

from typing import Literal, NamedTuple

MAX_RECORD_BYTES = 1_048_588
"""Kafka's own default for a record batch."""
LARGE_MESSAGE_BYTES = 16 * 2**20
"""Of a topic of dead letters, each of which carries the raw bytes of what was refused."""


class Topic(NamedTuple):
    """A topic as `freshet topics` creates it. `name` comes behind the prefix of the settings."""

    name: str
    cleanup: Literal["delete", "compact"]
    retention_days: float | None
    """None keeps records for ever: `labeled-texts` is the data set."""
    value: str
    """Name of the schema of its values."""
    max_message_bytes: int = MAX_RECORD_BYTES
    timestamps: Literal["LogAppendTime", "CreateTime"] = "LogAppendTime"
    """Freshness and close commands count from the broker's append time."""


LABELED_TEXTS = Topic("labeled-texts", "delete", None, "LabeledText")
LABELED_TEXTS_DEAD = Topic(
    "labeled-texts.dead-letters", "delete", 30, "DeadLetter", LARGE_MESSAGE_BYTES
)
TRAINING_WINDOWS = Topic("training-windows", "delete", 30, "TrainingWindow")
TRAINING_WINDOWS_DEAD = Topic(
    "training-windows.dead-letters", "delete", 30, "DeadLetter", LARGE_MESSAGE_BYTES
)
EVALUATION_EVENTS = Topic("evaluation-events", "delete", 90, "EvaluationEvent")
MODEL_VERSIONS = Topic("model-versions", "compact", None, "ModelVersion")
TEXTS = Topic("texts", "delete", 7, "TextToClassify")
TEXTS_DEAD = Topic("texts.dead-letters", "delete", 30, "DeadLetter", LARGE_MESSAGE_BYTES)
PREDICTIONS = Topic("predictions", "delete", 7, "Prediction")
CONTROL = Topic("control", "delete", None, "Command")  # a pause stands until its resume
REDRIVEN = Topic("redriven", "compact", None, "Redriven")

DEAD_LETTERS_OF = {
    LABELED_TEXTS: LABELED_TEXTS_DEAD,
    TEXTS: TEXTS_DEAD,
    TRAINING_WINDOWS: TRAINING_WINDOWS_DEAD,
}
"""Where the records of a topic go that cannot be processed."""

TOPICS = (
    LABELED_TEXTS,
    LABELED_TEXTS_DEAD,
    TRAINING_WINDOWS,
    TRAINING_WINDOWS_DEAD,
    EVALUATION_EVENTS,
    MODEL_VERSIONS,
    TEXTS,
    TEXTS_DEAD,
    PREDICTIONS,
    CONTROL,
    REDRIVEN,
)
