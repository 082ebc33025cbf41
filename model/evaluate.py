"""Champion and candidate on the same held-out records: the evidence that the gate weighs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.anchor import against
from model.answers import Answers, Scored
from model.config import TaskConfig
from model.encoder import Features
from model.gate import Paired, decide, decide_first, obeyed
from model.head import LinearHead
from model.holdout import HoldoutRow
from model.holdout_slices import first_seen, slice_accuracies
from model.horizon import has_horizon, held_out, of_learned
from model.state import TaskState, stacked
from model.statistics import Statistics
from schemas.evaluation import Comparison, Outcome, SliceAccuracy
from schemas.metrics import ClassificationMetrics

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate decided about a candidate, and on which evidence."""

    outcome: Outcome
    reason: str
    new: Comparison
    old: Comparison
    evidence: Literal["sufficient", "insufficient"]
    slices: tuple[SliceAccuracy, ...]
    metrics: dict[str, float]
    champion_metrics: ClassificationMetrics | None
    """On the records whose label the champion knows; None without one."""
    candidate_metrics: ClassificationMetrics | None
    """On the same records; None where there are none."""
    candidate_right: Mapping[str, bool]
    """On every judge record that was asked, by id."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Paired outcomes on new and old judge records, and what is reported beside them."""

    new: Paired
    old: Paired
    majority_right: Flags
    """Whether the most frequent learned label is right, on every judge record."""
    champion_right: Flags | None
    """On every judge record; None without a champion."""
    candidate_right: Flags
    """On every judge record, also those whose label the champion does not know."""
    shared: Flags
    """Whether the champion knows the label of a judge record; all, where there is no champion."""
    metrics: dict[str, float]


def judge(
    state: TaskState,
    head: LinearHead,
    statistics: Statistics,
    *,
    candidate_features: Mapping[str, Features],
    config: TaskConfig,
) -> Judgement:
    """Compare a candidate with the champion on the judge records, and let the gate decide.

    Args:
        state: with the champion's head, and the champion's features of every judge record.
        head: the candidate's.
        statistics: what the candidate's head was solved from.
        candidate_features: features (D,) of every judge record under the candidate's encoder.
        config: margins, and how many rounds are *new*.
    """
    rows = _judging(state, statistics, config)
    theirs = stacked([candidate_features[row.id] for row in rows], statistics.dim)
    index, num_labels = state.label_index(), len(state.labels)
    answered = Scored(
        champion=Answers.of(state.head, state.holdout_features(rows), num_labels)
        if state.head
        else None,
        candidate=Answers.of(head, theirs, num_labels),
        truth=np.array([index[row.label] for row in rows], np.int64),
    )
    evidence = weigh(
        rows,
        champion=answered.champion.named(state.labels) if answered.champion else None,
        candidate=answered.candidate.named(state.labels),
        champion_labels=learned_labels(state),
        majority=state.labels[int(statistics.counts.argmax())],
        recent_from=recent_from(state.holdout.rows, config.holdout.recent_windows),
    )
    shared = answered.on(evidence.shared)
    log_losses = shared.log_losses()
    if log_losses is None:
        decision = decide_first(
            evidence.candidate_right,
            evidence.majority_right,
            single_label=bool((statistics.counts > 0).sum() == 1),
        )
    else:
        decision = decide(
            evidence.new,
            evidence.old,
            config=config.gate,
            anchor=against(state.anchor, rows, evidence.candidate_right),
            log_losses=log_losses,
        )
    decision = obeyed(decision, config.gate)
    champion_metrics, candidate_metrics = shared.metrics(state.labels)
    return Judgement(
        outcome=Outcome.PROMOTED if decision.outcome == "promote" else Outcome.REJECTED,
        reason=decision.reason,
        new=decision.new,
        old=decision.old,
        evidence=decision.evidence,
        slices=slice_accuracies(
            rows,
            champion_right=evidence.champion_right,
            candidate_right=evidence.candidate_right,
            first_seen=first_seen(state.holdout.rows),
            sequence=state.sequence,
        ),
        metrics=evidence.metrics,
        champion_metrics=champion_metrics,
        candidate_metrics=candidate_metrics,
        candidate_right={
            row.id: bool(right) for row, right in zip(rows, evidence.candidate_right, strict=True)
        },
    )


def _judging(state: TaskState, statistics: Statistics, config: TaskConfig) -> list[HoldoutRow]:
    """The judge records, less those of labels whose last learned record left the horizon."""
    rows = held_out(state, "judge", config.head)
    if not has_horizon(config.head):
        return rows
    return of_learned(rows, state, statistics)


def learned_labels(state: TaskState) -> list[str]:
    """The labels of which the champion has learned records; it cannot answer with another.

    Under a trained head statistics know labels that came after the head was fitted.
    """
    columns = state.head.num_labels if state.head else None
    counted = zip(state.labels[:columns], state.statistics.counts, strict=False)
    return [label for label, count in counted if count > 0]


def recent_from(rows: Iterable[HoldoutRow], rounds: int) -> int:
    """The sequence from which on held-out records are *new*: the last `rounds` that brought any."""
    brought = sorted({row.sequence for row in rows})
    return brought[-rounds:][0] if brought else 0


def answers(head: LinearHead, features: Features, labels: Sequence[str]) -> list[str]:
    """The head's label for each row of features (N, D); its columns are the first of `labels`."""
    return [labels[index] for index in head.predict(features)] if len(features) else []


def weigh(
    rows: Sequence[HoldoutRow],
    *,
    champion: Sequence[str] | None,
    candidate: Sequence[str],
    champion_labels: Iterable[str],
    majority: str,
    recent_from: int,
) -> Evidence:
    """Pair the answers on judge records.

    Args:
        rows: the judge records (N).
        champion: its answer to each, or None where nothing serves yet.
        candidate: its answer to each.
        champion_labels: a record of any other label is reported apart, since the champion could
            not have known it.
        majority: the most frequent learned label.
        recent_from: records that came with this sequence or a later one are *new*.
    """
    known = set(champion_labels)
    right = _flags(answer == row.label for answer, row in zip(candidate, rows, strict=True))
    shared = _flags(champion is None or row.label in known for row in rows)
    before = (
        np.zeros(len(rows), bool)
        if champion is None
        else _flags(answer == row.label for answer, row in zip(champion, rows, strict=True))
    )
    new = _flags(row.sequence >= recent_from for row in rows)
    metrics: dict[str, float] = {}
    if not shared.all():
        metrics["new_label_accuracy"] = float(right[~shared].mean())
        metrics["new_label_records"] = float((~shared).sum())
    return Evidence(
        new=Paired(champion_right=before[shared & new], candidate_right=right[shared & new]),
        old=Paired(champion_right=before[shared & ~new], candidate_right=right[shared & ~new]),
        majority_right=_flags(row.label == majority for row in rows),
        champion_right=None if champion is None else before,
        candidate_right=right,
        shared=shared,
        metrics=metrics,
    )


def _flags(values: Iterable[bool]) -> Flags:
    return np.fromiter(values, dtype=bool)
