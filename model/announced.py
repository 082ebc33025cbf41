"""What a round announces: its evaluation, and the version that it promotes."""

from datetime import datetime

from model.findings import Findings
from model.lineage import Lineage
from model.lineage_entry import EncoderRef, LineageEntry
from model.outlook import drift_event
from model.state import TaskState
from model.stopwatch import Stopwatch
from model.transfer_so_far import transfer_after
from schemas.evaluation import EvaluationEvent
from schemas.model_version import Artifact, ModelVersion


def evaluation_event(
    before: TaskState,
    findings: Findings,
    *,
    task: str,
    watch: Stopwatch,
    now: datetime,
    parity: float | None,
) -> EvaluationEvent:
    """The evidence of a round, with its figures and seconds.

    Args:
        before: the state that the round began with.
        findings: of the round.
        task: its name.
        watch: what took how long.
        now: aware.
        parity: largest difference between the exported pair and the model; None without an export.
    """
    metrics = findings.metrics if parity is None else {**findings.metrics, "parity": parity}
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
        evidence=findings.evidence,
        slices=findings.slices,
        transfer=transfer_after(
            before.tip.evaluation.transfer if before.tip else None,
            findings.slices,
            served_on=not findings.outcome.candidate_serves,
        ),
        champion_metrics=findings.champion_metrics,
        candidate_metrics=findings.candidate_metrics,
        metrics=metrics,
        drift=drift_event(findings.drift),
        outcome=findings.outcome,
        reason=findings.reason,
        seconds=dict(watch.seconds),
        last_appended_at=findings.last_appended_at,
        evaluated_at=now,
    )


def model_version(
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
    """The version that a round promotes or restores."""
    restored = findings.kind == "rollback"  # then the accuracy is that of the version that goes
    measured = {
        "prequential_accuracy": None if restored else findings.prequential_accuracy,
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


def unannounced(lineage: Lineage, tip: LineageEntry | None) -> list[LineageEntry]:
    """What may not be announced yet, oldest first: the tip, and the round behind commands.

    A command writes its entry behind whatever is the tip, also where the role that wrote that one
    died before it could announce it.
    """
    found: list[LineageEntry] = []
    for entry in lineage.back_from(tip) if tip else ():
        found.insert(0, entry)
        if entry.kind not in ("rollback", "forget"):
            break
    return found
