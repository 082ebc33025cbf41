"""What the demo learns about the run: facts from the topics and from the roles' logs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from schemas.dead_letter import DeadLetter
from schemas.evaluation import EvaluationEvent
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.window import TrainingWindow


@dataclass(frozen=True, slots=True)
class LabeledSent:
    """A labeled text was handed to the producer."""

    task: str


@dataclass(frozen=True, slots=True)
class TextSent:
    """A text that asks for a label was handed to the producer."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """A record of `training-windows`."""

    window: TrainingWindow


@dataclass(frozen=True, slots=True)
class RoundEvaluated:
    """A record of `evaluation-events`."""

    evaluation: EvaluationEvent


@dataclass(frozen=True, slots=True)
class VersionAnnounced:
    """A record of `model-versions` and when the broker appended it."""

    version: ModelVersion
    appended_at: datetime


@dataclass(frozen=True, slots=True)
class TextAnswered:
    """A record of `predictions`."""

    prediction: Prediction


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record of one of the dead letter topics, by what it was."""

    what: Literal["labeled", "text", "window"]
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class TrainingProgressed:
    """The training role is at work: `stage`, and its figures (`step`, `steps`, `loss`)."""

    stage: str
    fields: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class TrainingIdle:
    """The training role has nothing in hand and no refresh is due."""

    at: datetime


@dataclass(frozen=True, slots=True)
class RoleJoined:
    """A role holds its partitions: what is sent from now on reaches it."""

    role: str


@dataclass(frozen=True, slots=True)
class RoleTroubled:
    """A role logged a warning or an error."""

    role: str
    level: str
    event: str
    detail: str


Fact = (
    LabeledSent
    | TextSent
    | WindowClosed
    | RoundEvaluated
    | VersionAnnounced
    | TextAnswered
    | SetAside
    | TrainingProgressed
    | TrainingIdle
    | RoleJoined
    | RoleTroubled
)
