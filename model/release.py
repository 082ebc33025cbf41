"""From a decided round to a lineage entry: export, prove, write the files, commit.

The order is the promise: files first, the entry last, and nothing is announced before the entry is
there. A crash on the way leaves files that nobody names.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from model.config import TaskConfig
from model.drift import Change, Watch
from model.exporter import Exporter
from model.head import LinearHead
from model.holdout import HoldoutRow
from model.journal import Row, to_parquet
from model.lineage import EncoderRef, Lineage, LineageEntry, Rollback, StateFiles
from model.onnx_export import head_graph
from model.outlook import drift_event, plan_for_next, regime
from model.state import TaskState
from model.stopwatch import Stopwatch
from model.succession import anchor_ref, probation_ref
from schemas.base import Span
from schemas.evaluation import (
    Comparison,
    EvaluationEvent,
    Outcome,
    RecordCounts,
    SliceAccuracy,
)
from schemas.metrics import ClassificationMetrics
from schemas.model_version import Artifact, ModelVersion

Clock = Callable[[], datetime]

_NOTHING = Comparison(num_records=0)

PROVEN_TEXTS = 32
"""Held-out texts on which the exported pair is proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a round found and decided, before it is written down."""

    kind: Literal["increment", "refresh", "rollback"]
    outcome: Outcome
    reason: str
    config: TaskConfig
    seed: int = 0
    windows: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    refresh_reads: tuple[Span, ...] = ()
    covered: float | None = None
    counts: RecordCounts = field(default_factory=RecordCounts)
    trained_through: dict[str, int]
    last_appended_at: datetime | None = None
    prequential_accuracy: float | None = None
    new: Comparison = _NOTHING
    old: Comparison = _NOTHING
    slices: tuple[SliceAccuracy, ...] = ()
    champion_metrics: ClassificationMetrics | None = None
    candidate_metrics: ClassificationMetrics | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    """What the round adds to the journal."""
    snapshot: bool = False
    """Whether `rows` is every row that is still known."""
    given_up: tuple[int, ...] = ()
    watch: Watch | None = None
    """What is watched for drift after the round; None: as before."""
    drift: Change | None = None
    proof: Sequence[HoldoutRow] = ()
    """Held-out records on whose texts the exported pair is proven."""
    restored: LineageEntry | None = None
    """A rollback: the entry whose version is announced again; it was exported and proven then."""
    rollback: Rollback | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What a round leaves: its entry, and the state after it."""

    entry: LineageEntry
    state: TaskState


def commit_round(
    before: TaskState,
    after: TaskState,
    findings: Findings,
    *,
    lineage: Lineage,
    exporter: Exporter,
    watch: Stopwatch,
    clock: Clock,
) -> Round:
    """Write a round down.

    1. Export and prove what is promoted.
    2. Write the files that changed under the attempt's own folder.
    3. Write the entry with put-if-absent: from here on the round has happened.

    Raises:
        ParityError: the exported pair and the model disagree.
        TipMovedError: another worker has extended the lineage; nothing was promoted.
        StoreUnavailableError: the store does not answer; the same round may be tried again.
    """
    sequence = before.sequence
    attempt = f"{sequence:08d}-{uuid.uuid4().hex[:12]}"
    folder = f"tasks/{lineage.task}/attempts/{attempt}"
    promoted = findings.outcome is Outcome.PROMOTED
    with watch("export"):
        # 1.
        restored = findings.restored
        encoder = restored.encoder if restored else _encoder_ref(before, after, exporter)
        head_onnx, parity = None, None
        if restored and restored.version:
            head_onnx = restored.version.head
        elif promoted:
            head_onnx, parity = _proven_head(after, lineage, folder, exporter, findings.proof)
        # 2.
        files = _write_files(before, after, findings, lineage, folder)
    evaluation = _evaluation(
        before, findings, task=lineage.task, watch=watch, clock=clock, parity=parity
    )
    version = None
    if head_onnx is not None and encoder is not None:
        version = _version(
            before,
            after,
            findings,
            lineage=lineage,
            attempt=attempt,
            encoder=encoder,
            head_onnx=head_onnx,
            evaluation=evaluation,
        )
    old = before.tip
    entry = LineageEntry(
        task=lineage.task,
        sequence=sequence,
        attempt=attempt,
        kind=findings.kind,
        trained_through=findings.trained_through,
        windows=findings.windows,
        spans=findings.spans,
        refresh_reads=findings.refresh_reads,
        covered=findings.covered,
        labels=after.labels,
        set_apart=tuple(after.set_apart),
        set_apart_tries=tuple(after.tries.get(sequence, 0) for sequence in after.set_apart),
        given_up=(*(old.given_up if old else ()), *findings.given_up),
        records_seen=before.records_seen + findings.counts.learned + findings.counts.held_out,
        refreshed_at=_refreshed_at(before, findings),
        plan=plan_for_next(before, findings),
        refreshed_on=evaluation.evaluated_at
        if findings.kind == "refresh"
        else (old.refreshed_on if old else None),
        **regime(before, findings),
        holdout_config=before.split(findings.config),
        encoder=encoder,
        files=files,
        config=findings.config,
        seed=findings.seed,
        evaluation=evaluation,
        version=version,
        serving=sequence if version else (old.serving if old else None),
        anchor=anchor_ref(after),
        probation=probation_ref(after),
        rollback=findings.rollback,
        created_at=evaluation.evaluated_at,
    )
    # 3.
    lineage.commit(entry)
    return Round(entry, replace(after, tip=entry))


def _encoder_ref(before: TaskState, after: TaskState, exporter: Exporter) -> EncoderRef | None:
    held = before.tip.encoder if before.tip else None
    if held is not None and held.digest == after.encoder.digest:
        return held
    return exporter.prepare(after.encoder)


def _refreshed_at(before: TaskState, findings: Findings) -> int | None:
    if findings.kind == "refresh":
        return before.records_seen
    return before.tip.refreshed_at if before.tip else None


def _proven_head(
    after: TaskState, lineage: Lineage, folder: str, exporter: Exporter, rows: Sequence[HoldoutRow]
) -> tuple[Artifact, float]:
    head, chosen = _head_of(after), rows[:PROVEN_TEXTS]
    graph = head_graph(head.weight, head.bias, head.temperature, projection=head.projection)
    parity = exporter.prove(
        after.encoder,
        head,
        graph,
        texts=[row.text for row in chosen],
        features=after.holdout_features(chosen),
    )
    return lineage.store.put(f"{folder}/head.onnx", graph), parity


def _head_of(state: TaskState) -> LinearHead:
    if state.head is None:
        msg = "a promoted state has no head"
        raise ValueError(msg)
    return state.head


def _write_files(
    before: TaskState, after: TaskState, findings: Findings, lineage: Lineage, folder: str
) -> StateFiles | None:
    """Write what this round changed; what it did not is named as it lies."""
    held = before.tip.files if before.tip else None
    if held is None and after is before:
        return None  # nothing was ever learned

    def written(name: str, data: Callable[[], bytes]) -> Artifact:
        return lineage.store.put(f"{folder}/{name}", data())

    statistics, holdout, head = (held.statistics, held.holdout, held.head) if held else (None,) * 3
    replay = held.replay if held else None
    if statistics is None or after.statistics is not before.statistics:
        statistics = written("statistics.safetensors", after.statistics.to_bytes)
    if holdout is None or after.holdout is not before.holdout:
        holdout = written("holdout.parquet", after.holdout.to_bytes)
    if after.head is not None and after.head is not before.head:
        head = written("head.safetensors", after.head.to_bytes)
    if after.replay is not before.replay:
        replay = written("replay.parquet", after.replay.to_bytes)
    journal = None
    if findings.rows:
        dim = after.encoder.dim
        journal = written("journal.parquet", lambda: to_parquet(findings.rows, dim=dim))
    return StateFiles(
        statistics=statistics,
        journal=journal,
        journal_is_snapshot=findings.snapshot,
        holdout=holdout,
        head=head,
        replay=replay,
    )


def _evaluation(
    before: TaskState,
    findings: Findings,
    *,
    task: str,
    watch: Stopwatch,
    clock: Clock,
    parity: float | None,
) -> EvaluationEvent:
    metrics = findings.metrics if parity is None else {**findings.metrics, "parity": parity}
    if findings.drift is not None:
        metrics = {**metrics, "drift": 1.0}
    return EvaluationEvent(
        task=task,
        sequence=before.sequence,
        kind=findings.kind,
        champion=before.tip.serving if before.tip else None,
        windows=findings.windows,
        spans=findings.spans,
        counts=findings.counts,
        prequential_accuracy=findings.prequential_accuracy,
        new=findings.new,
        old=findings.old,
        slices=findings.slices,
        champion_metrics=findings.champion_metrics,
        candidate_metrics=findings.candidate_metrics,
        metrics=metrics,
        drift=drift_event(findings.drift),
        outcome=findings.outcome,
        reason=findings.reason,
        seconds=dict(watch.seconds),
        last_appended_at=findings.last_appended_at,
        evaluated_at=clock(),
    )


def _version(
    before: TaskState,
    after: TaskState,
    findings: Findings,
    *,
    lineage: Lineage,
    attempt: str,
    encoder: EncoderRef,
    head_onnx: Artifact,
    evaluation: EvaluationEvent,
) -> ModelVersion:
    measured = {
        "prequential_accuracy": findings.prequential_accuracy,
        "new_accuracy": findings.new.candidate,
        "old_accuracy": findings.old.candidate,
        **evaluation.metrics,
    }
    return ModelVersion(
        task=lineage.task,
        version=before.sequence,
        parent=before.tip.serving if before.tip else None,
        kind=findings.kind,
        attempt=attempt,
        uri=lineage.store.uri,
        encoder=encoder.graph,
        tokenizer=encoder.tokenizer,
        head=head_onnx,
        labels=after.labels if after.head is None else after.labels[: after.head.num_labels],
        spans=findings.spans or findings.refresh_reads,
        metrics={name: value for name, value in measured.items() if value is not None},
        seconds=evaluation.seconds,
        created_at=evaluation.evaluated_at,
    )
