"""What a round of learning found: how champion and candidate did, and what was decided."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.base import Count, Event, Fraction, Seconds, Span, TaskName
from schemas.metrics import ClassificationMetrics


class Outcome(StrEnum):
    """How a round ended; every window ends in exactly one."""

    PROMOTED = "promoted"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    FORGOTTEN = "forgotten"

    @property
    def candidate_serves(self) -> bool:
        """Whether what the round solved serves after it, proven or to forget."""
        return self in {Outcome.PROMOTED, Outcome.FORGOTTEN}


class Comparison(BaseModel):
    """Champion and candidate on the same records; empty where nothing was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_records: Count
    champion: Fraction | None = None
    candidate: Fraction | None = None
    difference_low: float | None = None
    """Lower bound of candidate minus champion, one-sided at the gate's `confidence`."""
    difference_high: float | None = None
    """Upper bound, likewise."""
    negative_flip_rate: Fraction | None = None
    """Share of all records that the champion has right and the candidate wrong."""


class SliceAccuracy(BaseModel):
    """Accuracy on one slice of the memory holdout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """`label:NAME`, `source:NAME`, `window:SEQUENCE` of the round that brought it, `month:YYYY-MM`
    of its event time (UTC), or `label-age:ROUNDS` since its label was first held out."""
    num_records: Count
    champion: Fraction | None
    candidate: Fraction


class WindowAccuracy(BaseModel):
    """Accuracy of what served, on the held-out records of one round, over the rounds so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: Count
    """Sequence of the round that brought the records."""
    before: Fraction | None = None
    """Of the champion before they were learned; None where nothing served yet."""
    first: Fraction
    """After that round."""
    best: Fraction
    """The highest so far."""
    now: Fraction


class Transfer(BaseModel):
    """The accuracy matrix over rounds, as far as one row and what came before it tell.

    R[i, j] is the accuracy after round i on the held-out records that round j brought
    (Lopez-Paz and Ranzato 2017); the rows of earlier rounds are in their own events.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[WindowAccuracy, ...]
    """By round; those that have a slice of their own (24 at most)."""
    average_accuracy: Fraction
    """Mean of `now`."""
    forgetting: float
    """Mean of `best - now` over all windows but the newest (Chaudhry et al. 2018); never below 0,
    since `now` is among what was best."""
    backward_transfer: float
    """Mean of `now - first` over all but the newest."""
    forward_transfer: float
    """Mean of `before`, where something served: what earlier rounds were worth to later ones."""


class RecordCounts(BaseModel):
    """The books of one round: every record of its windows is in exactly one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learned: Count = 0
    held_out: Count = 0
    duplicates: Count = 0
    skipped: Count = 0
    denied: Count = 0
    """Of those skipped: on the deny list. Not counted apart."""
    trimmed: Count = 0
    """Records that an earlier entry accounts for; not part of the books."""
    refused: Count = 0
    """Records of labels beyond the limits of their task. Each has a dead letter, and counts as one
    in the books."""
    corrected: Count = 0
    """Of those learned or held out: a known id with another label. Not counted apart."""
    conflicting: Count = 0
    """Of those learned or held out: a known text with another label, under another id."""
    repeated: Count = 0
    """Of those learned or held out: a known text with the same label, under another id."""


class Drift(BaseModel):
    """The champion errs more on what it knew than it did before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since_record: Count
    """Records of the task before it began, as far as the errors can tell."""
    answers: Count
    """Answers on known labels since it began."""
    error_before: Fraction
    error_after: Fraction


class EvaluationEvent(Event):
    """One round on one task, as its lineage entry records it; `sequence` is that entry's number."""

    event_type: ClassVar[str] = "update_evaluated"
    type: Literal["evaluation"] = "evaluation"
    schema_version: Literal[1] = 1

    task: TaskName
    sequence: Count
    kind: Literal["increment", "refresh", "rollback", "forget"]
    champion: Count | None
    """The version that served while this round was run."""
    windows: tuple[str, ...]
    spans: tuple[Span, ...]
    counts: RecordCounts
    prequential_accuracy: Fraction | None
    """Champion on the whole window before anything was learned from it (Gama et al. 2013). Of a
    rollback by the monitor: what served, on the windows that showed its fault; they are learned
    by the entry after it."""
    new: Comparison
    old: Comparison
    evidence: Literal["sufficient", "insufficient"] | None = None
    """Whether the records could tell, where the gate was asked; `insufficient_evidence` of its
    config decides where they could not."""
    slices: tuple[SliceAccuracy, ...] = ()
    transfer: Transfer | None = None
    """Of the last round that measured slices; None until one has."""
    champion_metrics: ClassificationMetrics | None = None
    """On the judge records whose label it knows, new and old; None where nothing served yet."""
    candidate_metrics: ClassificationMetrics | None = None
    """On the same records; None where there was no candidate."""
    metrics: dict[str, float] = Field(default_factory=dict)
    drift: Drift | None = None
    """A drift that this round's records brought to light."""
    outcome: Outcome
    reason: str
    """In words and numbers, for a person."""
    seconds: dict[str, Seconds]
    last_appended_at: AwareDatetime | None
    """The broker's append time of the last record of its windows."""
    evaluated_at: AwareDatetime

    @property
    def event_id(self) -> str:
        """The same round is always the same event."""
        return f"{self.task}/{self.sequence}"

    @property
    def happened_at(self) -> datetime:
        """When it was decided."""
        return self.evaluated_at
