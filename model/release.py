"""From a decided round to a lineage entry: export, prove, write the files, commit.

The order is the promise: files first, the entry last, and nothing is announced before the entry is
there. A crash on the way leaves files that nobody names.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from model.announced import evaluation_event, model_version
from model.device import environment_of
from model.errors import ArtifactRefusedError, FreshetError
from model.exporter import Exporter
from model.findings import Findings
from model.head import LinearHead
from model.holdout import HoldoutRow
from model.lineage import Lineage, attempts_folder, encoder_folder
from model.lineage_entry import EncoderRef, LineageEntry
from model.onnx_export import head_graph
from model.outlook import plan_for_next, regime
from model.pins import pin
from model.state import TaskState
from model.state_files import write_files
from model.stopwatch import Stopwatch
from model.store import Store
from model.succession import anchor_ref, probation_ref, trial_ref
from schemas.evaluation import Outcome
from schemas.model_version import Artifact

Clock = Callable[[], datetime]

PROVEN_TEXTS = 32
"""Held-out texts on which the exported pair is proven."""


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

    1. Pin what the entry will name and the tip does not, so that no prune takes it.
    2. Export and prove what is promoted, or was solved to forget.
    3. Write the files that changed under the attempt's own folder.
    4. Write the entry with put-if-absent: from here on the round has happened.

    Raises:
        ParityError: the exported pair and the model disagree.
        ArtifactRefusedError: what it would restore was pruned meanwhile.
        CondemnedError: what it would name is being pruned; try again.
        TipMovedError: another worker has extended the lineage; nothing was promoted.
        StoreUnavailableError: the store does not answer; the same round may be tried again.
    """
    sequence = before.sequence
    attempt = f"{sequence:08d}-{uuid.uuid4().hex[:12]}"
    folder = f"{attempts_folder(lineage.task)}/{attempt}"
    promoted = findings.outcome is Outcome.PROMOTED
    with watch("export"), _given_up_without_files(lineage, folder):
        # 1.
        restored = findings.restored
        _keep(before, after, restored, lineage.store, folder)
        # 2.
        encoder = restored.encoder if restored else _encoder_ref(before, after, exporter)
        head_onnx, parity = None, None
        if promoted or findings.solved:
            head_onnx, parity = _proven_head(after, lineage, folder, exporter, findings.proof)
        elif restored and restored.version:
            head_onnx = restored.version.head
        # 3.
        files = write_files(before, after, findings, lineage, folder)
    evaluation = evaluation_event(
        before, findings, task=lineage.task, watch=watch, now=clock(), parity=parity
    )
    version = None
    if head_onnx is not None and encoder is not None:
        version = model_version(
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
        refused=dict(findings.refused),
        windows=findings.windows,
        spans=findings.spans,
        refresh_reads=findings.refresh_reads,
        refresh_lost=findings.refresh_lost,
        covered=findings.covered,
        fitted_from=findings.fitted_from,
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
        environment=environment_of(after.encoder.device),
        evaluation=evaluation,
        version=version,
        serving=sequence if version else (old.serving if old else None),
        anchor=anchor_ref(after),
        probation=probation_ref(after),
        trial=trial_ref(after),
        rollback=findings.rollback,
        forgetting=findings.forgetting,
        denied_in=sequence if findings.forgetting else (old.denied_in if old else None),
        created_at=evaluation.evaluated_at,
    )
    # 4.
    lineage.commit(entry)
    return Round(entry, replace(after, tip=entry))


@contextmanager
def _given_up_without_files(lineage: Lineage, folder: str) -> Iterator[None]:
    """Remove the files of an attempt that fails before its entry could be written.

    Where the store is full, each further try would leave more of them.
    """
    try:
        yield
    except FreshetError:
        with suppress(FreshetError):
            lineage.store.delete(folder)
        raise


def _keep(
    before: TaskState,
    after: TaskState,
    restored: LineageEntry | None,
    store: Store,
    folder: str,
) -> None:
    held = before.tip.encoder if before.tip else None
    named = {encoder_folder(after.encoder.digest)}
    if restored is not None and restored.version is not None and restored.encoder is not None:
        old = restored.encoder.paths() | {restored.version.head.path}
        pin(store, folder, named | old)
        if gone := sorted(path for path in old if not store.holds(path)):
            msg = f"{gone[0]} is missing: version {restored.sequence} was pruned"
            raise ArtifactRefusedError(msg)
    elif held is None or held.digest != after.encoder.digest:
        pin(store, folder, named)


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
