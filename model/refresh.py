"""The recipe of a refresh: fine-tune the encoder when that pays, and solve everything anew."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from model.candidate import solve_candidate
from model.config import RefreshConfig, TaskConfig
from model.data import Log, Progress, Record
from model.deltas import applied
from model.encoder import Encoder, Features
from model.evaluate import judge
from model.exporter import Exporter
from model.fit import fit_encoder
from model.journal import Row
from model.lineage import Lineage
from model.methods import methods_of
from model.release import Clock, Findings, Round, commit_round
from model.reread import Reread, read_again
from model.splits import text_hash
from model.state import TaskState
from model.statistics import Statistics
from model.stopwatch import Stopwatch
from model.update import seed_of
from schemas.evaluation import Outcome


def refresh_due(state: TaskState, config: RefreshConfig) -> str | None:
    """Why the encoder should be refreshed now, or None."""
    if not config.enabled or state.tip is None or state.tip.serving is None:
        return None
    if state.tip.refreshed_at is not None:
        since = state.records_seen - state.tip.refreshed_at
        return f"{since} records since the last refresh" if since >= config.every_records else None
    enough = (state.statistics.counts >= config.min_records_per_label).sum()
    if state.records_seen < config.first_after_records or enough < 2:
        return None
    return f"no encoder of its own after {state.records_seen} records"


def refresh(
    state: TaskState,
    *,
    why: str,
    log: Log,
    config: TaskConfig,
    lineage: Lineage,
    exporter: Exporter,
    progress: Progress,
    clock: Clock,
) -> Round:
    """Fit the encoder on new and replayed records, solve its head anew, prove it, write it down.

    1. Read the learned records again from the log, newest rounds first, within the budget.
    2. Draw what to fit on: the newest and a replay sample; fit a copy of the encoder.
    3. Recompute features; statistics weigh each label as often as it was seen.
    4. Solve; compare with the champion on records that neither encoder nor head learned; decide.
    5. Export, prove, commit: the encoder and its head serve as the pair that was proven.

    Raises:
        TipMovedError: another worker was first; load the new tip.
        RetryError: log or store do not answer.
    """
    watch = Stopwatch()
    with watch("read"):  # 1.
        progress("rereading", records=config.refresh.reread_records)
        reread = read_again(state, lineage, log, config=config)
    findings = Findings(
        kind="refresh",
        outcome=Outcome.SKIPPED,
        reason=f"refresh due ({why}), but the log holds none of the learned records any more",
        config=config,
        seed=seed_of(lineage.task, state.sequence, reread.spans),
        refresh_reads=reread.spans,
        trained_through=dict(state.tip.trained_through) if state.tip else {},
    )
    after = state
    if reread.learned:
        with watch("fit"):  # 2.
            encoder = _fitted(state, reread, findings.seed, config=config, progress=progress)
            refreshed, rows = _recomputed(state, encoder, reread, progress=progress)  # 3.
            head, _right = solve_candidate(
                refreshed, refreshed.statistics, config=config.head, keep_form=False
            )
        with watch("evaluate"):  # 4.
            judged = judge(
                state,
                head,
                refreshed.statistics,
                candidate_features=refreshed.features,
                config=config,
            )
        promoted = judged.outcome is Outcome.PROMOTED
        after = replace(refreshed, head=head) if promoted else state
        findings = replace(
            findings,
            outcome=judged.outcome,
            reason=f"{why}: {judged.reason}",
            covered=len(reread.learned) / max(1.0, state.statistics.num_records),
            new=judged.new,
            old=judged.old,
            slices=judged.slices,
            metrics={**judged.metrics, **_uncovered(state, refreshed)},
            rows=rows if promoted else (),
            snapshot=promoted,
            proof=state.holdout.rows[::-1],
        )
    progress("exporting", promoted=findings.outcome is Outcome.PROMOTED)
    return commit_round(  # 5.
        state, after, findings, lineage=lineage, exporter=exporter, watch=watch, clock=clock
    )


def _fitted(
    state: TaskState, reread: Reread, seed: int, *, config: TaskConfig, progress: Progress
) -> Encoder:
    plan = methods_of(config)
    drawn = plan.draw([record for record, _ in reread.learned], seed=seed)
    index = state.label_index()
    encoder, _report = fit_encoder(
        state.encoder,
        [record.text for record in drawn],
        [index[record.label] for record in drawn],
        len(index),
        config=config.fit,
        seed=seed,
        objectives=plan.objectives,
        progress=progress,
    )
    return encoder


def _recomputed(
    state: TaskState, encoder: Encoder, reread: Reread, *, progress: Progress
) -> tuple[TaskState, tuple[Row, ...]]:
    """The state under the new encoder, with every row that is still known.

    Rows whose records were not read again stay known by id, without features.
    """
    records = [*reread.learned, *reread.apart]
    holdout = state.holdout.rows
    progress("recomputing", records=len(records) + len(holdout))
    features = encoder.features([record.text for record, _ in records])
    held_out = encoder.features([row.text for row in holdout])
    by_id = {row.id: held_out[number] for number, row in enumerate(holdout)}
    weights = _weights(reread.learned, state)
    again = {
        record.id: _row(
            record,
            sequence,
            1.0 if sequence in state.set_apart else weights[record.label],
            features[number],
        )
        for number, (record, sequence) in enumerate(records)
    }
    rows = tuple(
        again.get(row.id) or replace(row, features=by_id.get(row.id)) for row in state.journal
    )
    index = state.label_index()
    apart = {
        sequence: tuple(row for row in rows if row.sequence == sequence)
        for sequence in state.set_apart
    }
    learned = [again[record.id] for record, _ in reread.learned]
    statistics = applied(Statistics.empty(encoder.dim, len(index)), learned, index)
    refreshed = replace(
        state,
        encoder=encoder,
        statistics=statistics,
        journal=state.journal.replaced(rows),
        set_apart=apart,
        features=by_id,
    )
    return refreshed, rows


def _uncovered(state: TaskState, refreshed: TaskState) -> dict[str, float]:
    """How many learned labels have no record left in the log: the new head cannot give them."""
    before = state.statistics.counts > 0
    lost = int((before & (refreshed.statistics.counts[: len(before)] == 0)).sum())
    return {"uncovered_labels": float(lost)} if lost else {}


def _weights(learned: Sequence[tuple[Record, int]], state: TaskState) -> Mapping[str, float]:
    """What one record of each label stands for, so that labels weigh as often as they were seen."""
    covered = Counter(record.label for record, _ in learned)
    seen = dict(zip(state.labels, state.statistics.counts, strict=False))
    return {
        label: max(1.0, float(seen.get(label, 0.0)) / count) for label, count in covered.items()
    }


def _row(record: Record, sequence: int, weight: float, features: Features) -> Row:
    return Row(
        id=record.id,
        label=record.label,
        part="learn",
        sequence=sequence,
        text_hash=text_hash(record.text),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        event_time=record.event_time,
        weight=weight,
        features=features,
    )
