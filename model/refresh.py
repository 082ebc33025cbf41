"""The recipe of a refresh: fine-tune the encoder when that pays, and solve everything anew."""

from dataclasses import replace

from model.ageing import within_horizon
from model.candidate import solve_candidate
from model.config import TaskConfig
from model.contest import contested
from model.data import Log, Progress
from model.due import plan_after
from model.encoder import Encoder
from model.evaluate import judge
from model.exporter import Exporter
from model.feature_cache import FeatureCache
from model.findings import Findings
from model.head import LinearHead
from model.lineage import Lineage
from model.recompute import recomputed
from model.refit import Refitted
from model.release import Clock, Round, commit_round
from model.reread import Reread, not_learned, read_again
from model.selection import selection_gain
from model.state import TaskState
from model.stopwatch import Stopwatch
from model.succession import on_trial, succeeded
from model.trained_head import calibrated
from model.update import seed_of
from schemas.evaluation import Outcome


def refresh(
    state: TaskState,
    *,
    why: str,
    log: Log,
    config: TaskConfig,
    lineage: Lineage,
    exporter: Exporter,
    cache: FeatureCache,
    progress: Progress,
    clock: Clock,
    start: Encoder | None = None,
) -> Round:
    """Fit the encoder on new and replayed records, solve its head anew, prove it, write it down.

    1. Read the learned records again, newest rounds first, within the budget: from the log, and
       from the replay memory what it does not hold.
    2. Draw what to fit on: the newest and a replay sample; fit a copy of the encoder,
       or two under plans that contend. With `start`, of an encoder from before what was forgotten
       since, under which everything is computed first: no champion teaches what it should not know.
    3. Recompute features, map those whose texts are gone; labels weigh as often as they were seen.
    4. Solve, or take the head that was trained; compare with the champion on records that
       neither encoder nor head learned; decide.
    5. Export, prove, commit: the encoder and its head serve as the pair that was proven.

    Raises:
        TipMovedError: another worker was first; load the new tip.
        RetryError: log or store do not answer.
    """
    watch = Stopwatch()
    if start is not None:
        config, state = _owed(config), replace(state, probation=None, trial=None)
    with watch("read"):  # 1.
        progress("rereading", records=config.refresh.reread_records)
        reread = within_horizon(read_again(state, lineage, log, config=config), config.head)
    findings = Findings(
        kind="refresh",
        outcome=Outcome.SKIPPED,
        reason=f"refresh due ({why}), but neither log nor memory holds a learned record",
        config=config,
        seed=seed_of(lineage.task, state.sequence, reread.spans),
        refresh_reads=reread.spans,
        refresh_lost=reread.lost,
        trained_through=dict(state.tip.trained_through) if state.tip else {},
        fitted_from=start.digest if start else None,
    )
    after = state
    if reread.learned:
        with watch("fit"):  # 2.
            contest = contested(
                state
                if start is None
                else _beginning(
                    state, start, reread, config=config, cache=cache, progress=progress
                ),
                [record for record, _ in reread.learned],
                seed=findings.seed,
                config=config,
                progress=progress,
            )
            fitted = contest.fitted
            renewed = recomputed(  # 3.
                state,
                fitted.encoder,
                reread,
                config=config,
                cache=cache,
                progress=progress,
            )
            refreshed = renewed.state
            head = _candidate_head(refreshed, fitted, config=config)
        with watch("evaluate"):  # 4.
            judged = judge(
                state,
                head,
                refreshed.statistics,
                candidate_features=refreshed.features,
                config=config,
            )
            gain_new, gain_old = selection_gain(
                state, head, candidate_features=refreshed.features, config=config
            )
        promoted = judged.outcome is Outcome.PROMOTED
        apart = {s: refreshed.set_apart[s] for s in not_learned(state, config)}
        solved = replace(refreshed, head=head, set_apart=dict(sorted(apart.items())))
        after = state
        if promoted:
            tried = on_trial(state, solved, plan_after(state.tip), config)
            after = replace(succeeded(state, solved, judged, config), trial=tried)
        findings = replace(
            findings.judged(judged),
            reason=f"{why}: {judged.reason}{contest.note}",
            covered=renewed.covered,
            metrics={
                **judged.metrics,
                **renewed.metrics,
                **contest.metrics,
                "fit_sample_steps": float(fitted.report.sample_steps),
                "fit_records": float(fitted.report.records),
                "fit_seconds": fitted.report.seconds,
            },
            gain_new=gain_new,
            gain_old=gain_old,
            bandit=contest.bandit,
            rows=renewed.rows if promoted else (),
            snapshot=promoted,
            proof=state.holdout.rows[::-1],
        )
    progress("exporting", promoted=findings.outcome is Outcome.PROMOTED)
    done = commit_round(  # 5.
        state, after, findings, lineage=lineage, exporter=exporter, watch=watch, clock=clock
    )
    cache.clear()
    return done


def _owed(config: TaskConfig) -> TaskConfig:
    """Under which what was forgotten does not come back: the gate and the monitor only look on."""
    changes = {
        "gate": config.gate.model_copy(update={"obey": False}),
        "monitor": config.monitor.model_copy(update={"enabled": False}),
    }
    return config.model_copy(update=changes)


def _beginning(
    state: TaskState,
    start: Encoder,
    reread: Reread,
    *,
    config: TaskConfig,
    cache: FeatureCache,
    progress: Progress,
) -> TaskState:
    """What is known, under another encoder than the champion's, and without a champion."""
    begun = recomputed(state, start, reread, config=config, cache=cache, progress=progress)
    return replace(begun.state, head=None)


def _candidate_head(refreshed: TaskState, fitted: Refitted, *, config: TaskConfig) -> LinearHead:
    """The trained head where the task serves one, else the head solved under the new encoder."""
    if config.head.form == "softmax":
        return calibrated(fitted.head, refreshed, config.head)
    head, _right = solve_candidate(
        refreshed, refreshed.statistics, config=config.head, keep_form=False
    )
    return head
