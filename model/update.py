"""The recipe of an increment: what happens to a task when windows arrive, top to bottom."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.ageing import aged
from model.config import TaskConfig
from model.data import Log, Progress, Record
from model.deltas import applied, rows_of, set_apart_without
from model.drift import Watch, watched
from model.encoder import Features
from model.errors import ArtifactRefusedError
from model.evaluate import answers, judge, recent_from
from model.exporter import Exporter
from model.findings import Findings
from model.guard import Guard
from model.holdout import HoldoutRow
from model.intake import Intake, take_in
from model.journal import Row
from model.lineage import Lineage
from model.release import Clock, Round, commit_round
from model.remember import remembered
from model.rollback import RollbackRefusedError, roll_back
from model.solution import settled, solve_round
from model.state import TaskState
from model.stopwatch import Stopwatch
from model.succession import succeeded
from schemas.base import Span
from schemas.evaluation import Outcome
from schemas.window import TrainingWindow


@dataclass(frozen=True, slots=True)
class WindowRecords:
    """A window and its records, in offset order, as read back from the log."""

    window: TrainingWindow
    records: Sequence[Record]


def increment(
    state: TaskState,
    windows: Sequence[WindowRecords],
    *,
    config: TaskConfig,
    lineage: Lineage,
    exporter: Exporter,
    progress: Progress,
    clock: Clock,
    log: Log | None = None,
) -> Round:
    """Learn windows without forgetting, prove it, write it down.

    1. Take in: trim, recognise duplicates and corrections, split; features under the encoder.
    2. Prequential evaluation: the champion answers before anything is learned (Gama et al. 2013).
       Where it is still watched and proves worse than its predecessor, the round is a rollback
       instead, an entry of its own: nothing was learned from the windows, do it again.
    3. Add to the statistics, with and without what was rejected before; solve both heads. A head
       that is trained waits for the refresh: only the statistics grow.
    4. Compare the better one with the champion on records that nobody learned; decide.
    5. Export, prove, commit.

    Raises:
        RejectError: these windows cannot be learned.
        TipMovedError: another worker was first; load the new tip and do it again.
        StoreUnavailableError: the store does not answer; do it again.
    """
    watch = Stopwatch()
    last_appended_at = max(item.window.last_appended_at for item in windows)
    watch.seconds["queue"] = max(0.0, (clock() - last_appended_at).total_seconds())
    spans = tuple(item.window.span for item in windows)
    with watch("fit"):  # 1.
        progress("encoding", records=sum(len(item.records) for item in windows))
        intake = take_in(
            [(w.window.span.place, w.window.span.end, w.records) for w in windows],
            journal=state.journal,
            labels=state.labels,
            trained_through=state.tip.trained_through if state.tip else {},
            split=state.split(config),
            config=config,
            denied=state.denied,
        )
        features = state.encoder.features([item.record.text for item in intake.taken])
        rows = aged(rows_of(intake, features, state), state, config.head)
        taken_in = _taken_in(state, intake, features, rows, config=config)
    with watch("evaluate"):  # 2.
        right = _right(state, intake, features)
        accuracy = sum(right) / len(right) if right else None
        answered = [item.record for item in intake.taken]
        errors, drift = watched(
            (state.tip.watch if state.tip else None) or Watch(),
            _known_errors(state, intake, right, config),
            sequence=state.sequence,
            seen=state.records_seen,
            config=config.drift,
        )
        guard = Guard.over(state, answered, features, right, config, progress=progress)
        guard = guard.under(drift, config.drift)
    if (fault := guard.fault(config.monitor)) is not None:
        try:
            return roll_back(
                state,
                to=lineage.entry(fault.version),
                encoder=fault.encoder,
                who="monitor",
                why=fault.why,
                log=log,
                config=config,
                lineage=lineage,
                exporter=exporter,
                clock=clock,
                trial=guard.concluded(fault, state.encoder),
                prequential_accuracy=accuracy,
            )
        except (
            ArtifactRefusedError,
            RollbackRefusedError,
        ) as error:
            progress("rollback_refused", reason=str(error))
            guard = guard.refused()
    taken_in = guard.kept(taken_in, config.monitor)
    with watch("fit"):  # 3.
        progress("solving", records=len(intake.taken))
        trained = config.head.form == "softmax"
        teaches = _teaches(intake, rows, state) and not trained
        solution = solve_round(taken_in, rows, config=config) if teaches else None
    with watch("evaluate"):  # 4.
        findings = Findings(
            kind="increment",
            outcome=Outcome.SKIPPED,
            reason=_why_skipped(intake, trained=trained),
            config=config,
            seed=seed_of(lineage.task, state.sequence, spans),
            windows=tuple(item.window.window_id for item in windows),
            spans=spans,
            counts=intake.counts,
            trained_through=intake.trained_through,
            refused=intake.refused,
            last_appended_at=last_appended_at,
            prequential_accuracy=accuracy,
            rows=rows,
            watch=errors,
            drift=drift,
            trial=guard.verdict,
            proof=taken_in.holdout.recent(state.sequence),
        )
        after = _grown(taken_in, rows) if trained else taken_in
        if solution is not None:
            judged = judge(
                taken_in,
                solution.head,
                solution.statistics,
                candidate_features=taken_in.features,
                config=config,
            )
            after, given_up, back_again = settled(taken_in, rows, solution, judged.outcome)
            if judged.outcome is Outcome.PROMOTED:
                after = succeeded(state, after, judged, config)
            findings = replace(
                findings.judged(judged), rows=(*rows, *back_again), given_up=given_up
            )
        if guard.verdict is not None and guard.trial is not None:
            told = f"{findings.reason}; {guard.verdict.told}"
            findings = replace(findings, reason=told)
        after = remembered(taken_in, after, intake, rows, findings.given_up)
    return commit_round(  # 5.
        state, after, findings, lineage=lineage, exporter=exporter, watch=watch, clock=clock
    )


def seed_of(task: str, sequence: int, spans: Iterable[Span]) -> int:
    """The seed of a round, from its place in the lineage and what it reads."""
    text = "\n".join([task, str(sequence), *map(str, spans)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _taken_in(
    state: TaskState, intake: Intake, features: Features, rows: Sequence[Row], config: TaskConfig
) -> TaskState:
    """The state that knows the new records and has learned nothing from them yet."""
    if not intake.taken and not rows:
        return state
    brought = [
        HoldoutRow(
            id=item.record.id,
            text=item.record.text,
            label=item.record.label,
            part=item.part,
            sequence=state.sequence,
            event_time=item.record.event_time,
            source=item.record.source,
        )
        for item in intake.taken
        if item.part != "learn"
    ]
    since = recent_from([*state.holdout.rows, *brought], config.holdout.recent_windows)
    known = state.holdout.remove(row.id for row in intake.taken_back)
    holdout = known.add(brought, recent_from=since)
    if state.anchor is not None:
        judging = [number for number, item in enumerate(intake.taken) if item.part == "judge"]
        holdout = state.anchor.answered(
            holdout,
            [intake.taken[number].record for number in judging],
            features[judging],
            intake.labels,
        )
    at_hand = {item.record.id: features[index] for index, item in enumerate(intake.taken)}
    known_features = {**state.features, **at_hand}
    return replace(
        state,
        labels=intake.labels,
        journal=state.journal.extended(rows),
        set_apart=set_apart_without(state.set_apart, intake.taken_back),
        holdout=holdout,
        features={row.id: known_features[row.id] for row in holdout.rows},
    )


def _right(state: TaskState, intake: Intake, features: Features) -> list[bool]:
    """Whether the champion has each record of the windows right; empty without a champion."""
    if state.head is None:
        return []
    answered = answers(state.head, features, state.labels)
    return [
        answer == item.record.label for answer, item in zip(answered, intake.taken, strict=True)
    ]


def _known_errors(
    state: TaskState, intake: Intake, right: Sequence[bool], config: TaskConfig
) -> NDArray[np.bool_]:
    """Whether the champion errs (N,) on each record of a label that it has learned well.

    A label with few records is hard because it is new, which is not drift.
    """
    counts = zip(state.labels, state.statistics.counts, strict=False)
    known = {label for label, count in counts if count >= config.refresh.min_records_per_label}
    answered = zip(right, intake.taken, strict=False)  # without a champion nothing was answered
    return np.array([not r for r, item in answered if item.record.label in known], bool)


def _teaches(intake: Intake, rows: Sequence[Row], state: TaskState) -> bool:
    """Whether there is anything to solve anew: records learned, taken back, rejected before."""
    gone = intake.taken_back or any(row.weight < 0 for row in rows)
    news = intake.counts.learned or gone or state.set_apart
    return bool(news) and bool(intake.counts.learned or state.statistics.num_records)


def _grown(state: TaskState, rows: Sequence[Row]) -> TaskState:
    """The state with the rows in its statistics, under the head that it had."""
    if not rows:
        return state
    return replace(state, statistics=applied(state.statistics, rows, state.label_index()))


def _why_skipped(intake: Intake, *, trained: bool) -> str:
    counts = intake.counts
    if trained and counts.learned:
        return f"{counts.learned} records for the next refresh, which trains the softmax head"
    return (
        f"nothing to learn: {counts.duplicates} duplicates, {counts.held_out} held out, "
        f"{counts.trimmed} already accounted for, {counts.refused} of labels beyond the limits"
        + (f", {counts.denied} on the deny list" if counts.denied else "")
    )
