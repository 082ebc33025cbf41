"""The report of a run: what became of every record, every version and every question."""

from collections import Counter
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from consumers.demo.scoring import Scores
from consumers.demo.state import DemoState, Round
from schemas.base import Count, Fraction, Seconds
from schemas.evaluation import EvaluationEvent


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RecordBooks(_Report):
    """Where every produced record went; `produced` is the sum of the others."""

    produced: Count
    learned: Count
    held_out: Count
    duplicates: Count
    dead_letters: Count
    skipped: Count
    open: int
    """In no closed window yet, or in one without an evaluation; below zero the books are wrong."""

    @property
    def add_up(self) -> bool:
        """Whether every record is in exactly one place."""
        parts = self.learned + self.held_out + self.duplicates + self.dead_letters + self.skipped
        return self.open >= 0 and self.produced == parts + self.open


class WindowReport(_Report):
    """A closed window."""

    window_id: str
    task: str
    records: Count
    reason: str
    label_counts: dict[str, Count]
    opened_at: datetime
    closed_at: datetime
    version: Count | None
    """The lineage entry that accounts for it."""


class ComparisonReport(_Report):
    """Accuracy on the same held-out records."""

    champion: Fraction | None
    candidate: Fraction | None
    num_records: Count


class SecondsReport(_Report):
    """Where the time of a version went, from its windows' last record to its first prediction."""

    queue: Seconds | None
    fit: Seconds | None
    evaluate: Seconds | None
    export: Seconds | None
    publish: Seconds | None
    swap: Seconds | None


class VersionReport(_Report):
    """One lineage entry."""

    task: str
    version: Count
    parent: Count | None
    kind: str
    decision: str
    reason: str
    windows: Count
    prequential_accuracy: Fraction | None
    new: ComparisonReport
    old: ComparisonReport
    seconds: SecondsReport
    freshness_seconds: Seconds | None
    test_accuracy: Fraction | None
    """On the test set, which no version saw; only promoted versions are scored."""


class PredictionsReport(_Report):
    """The trickle of texts that ask for a label."""

    sent: Count
    answered: Count
    dead_letters: Count
    by_version: dict[str, Count]


class MarginReport(_Report):
    """First against last promoted version of a task, on texts that no version saw."""

    task: str
    records: Count
    first_version: Count
    first_accuracy: Fraction
    last_version: Count
    last_accuracy: Fraction
    margin: Annotated[float, Field(ge=-1, le=1)]


class DemoReport(_Report):
    """The whole run."""

    records: RecordBooks
    windows: list[WindowReport]
    versions: list[VersionReport]
    predictions: PredictionsReport
    test_set: list[MarginReport]
    broker: str
    peak_memory_bytes: Count
    seconds: Seconds


def make_report(
    state: DemoState,
    *,
    acknowledged: int,
    scores: Scores,
    broker: str,
    peak_memory_bytes: int,
    seconds: float,
) -> DemoReport:
    """Draw the balance of a run; `acknowledged` labeled texts are what the broker took."""
    by_version = Counter(f"{version}" for version in state.answered.values())
    return DemoReport(
        records=_books(state, acknowledged),
        windows=_windows(state),
        versions=_versions(state, scores),
        predictions=PredictionsReport(
            sent=len(state.texts_sent),
            answered=len(state.answered.keys() & state.texts_sent.keys()),
            dead_letters=len(state.dead_texts),
            by_version=dict(sorted(by_version.items(), key=lambda item: int(item[0]))),
        ),
        test_set=_test_sets(state, scores),
        broker=broker,
        peak_memory_bytes=peak_memory_bytes,
        seconds=seconds,
    )


def _books(state: DemoState, acknowledged: int) -> RecordBooks:
    counts = [evaluation.counts for evaluation in state.evaluations()]
    pending = sum(window.num_records for window in state.pending)
    never_learned = sum(
        records
        for window_id, records in state.dead_windows.items()
        if window_id not in state.learned_windows
    )
    in_no_window = state.open_records().total() + acknowledged - state.num_sent
    return RecordBooks(
        produced=acknowledged,
        learned=sum(count.learned for count in counts),
        held_out=sum(count.held_out for count in counts),
        duplicates=sum(count.duplicates for count in counts),
        dead_letters=len(state.dead_labeled),
        skipped=sum(count.skipped for count in counts) + never_learned,
        open=in_no_window + pending,
    )


def _windows(state: DemoState) -> list[WindowReport]:
    learned_by = {
        window_id: evaluation.sequence
        for evaluation in state.evaluations()
        for window_id in evaluation.windows
    }
    return [
        WindowReport(
            window_id=window.window_id,
            task=window.task,
            records=window.num_records,
            reason=window.reason,
            label_counts=window.label_counts,
            opened_at=window.opened_at,
            closed_at=window.closed_at,
            version=learned_by.get(window.window_id),
        )
        for window in state.windows.values()
    ]


def _versions(state: DemoState, scores: Scores) -> list[VersionReport]:
    return [
        _version(held, held.evaluation, scores)
        for _, held in sorted(state.rounds.items(), key=lambda item: item[0])
        if held.evaluation is not None
    ]


def _version(held: Round, evaluation: EvaluationEvent, scores: Scores) -> VersionReport:
    seconds = held.seconds
    return VersionReport(
        task=evaluation.task,
        version=evaluation.sequence,
        parent=evaluation.champion,
        kind=evaluation.kind,
        decision=evaluation.outcome,
        reason=evaluation.reason,
        windows=len(evaluation.windows),
        prequential_accuracy=evaluation.prequential_accuracy,
        new=ComparisonReport(
            champion=evaluation.new.champion,
            candidate=evaluation.new.candidate,
            num_records=evaluation.new.num_records,
        ),
        old=ComparisonReport(
            champion=evaluation.old.champion,
            candidate=evaluation.old.candidate,
            num_records=evaluation.old.num_records,
        ),
        seconds=SecondsReport(**{name: seconds.get(name) for name in SecondsReport.model_fields}),
        freshness_seconds=held.freshness_seconds,
        test_accuracy=scores.accuracy.get((evaluation.task, evaluation.sequence)),
    )


def _test_sets(state: DemoState, scores: Scores) -> list[MarginReport]:
    reports = []
    for task, records in scores.records.items():
        versions = [
            held.evaluation.sequence for held in state.promoted(task) if held.evaluation is not None
        ]
        scored = [version for version in versions if (task, version) in scores.accuracy]
        if not scored:
            continue
        first, last = scores.accuracy[task, scored[0]], scores.accuracy[task, scored[-1]]
        reports.append(
            MarginReport(
                task=task,
                records=records,
                first_version=scored[0],
                first_accuracy=first,
                last_version=scored[-1],
                last_accuracy=last,
                margin=last - first,
            )
        )
    return reports
