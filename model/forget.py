"""The recipe of forgetting: records leave what is learned, exactly, and are never learned again."""

from dataclasses import dataclass, replace

from model.candidate import solve_candidate
from model.config import TaskConfig
from model.denied import DenyList, in_order, tuned_on_denied
from model.erasure import erased, snapshot_rows
from model.errors import RejectError
from model.evaluate import Judgement, judge
from model.exporter import Exporter
from model.findings import Findings
from model.lineage import Forgetting, Lineage, LineageEntry
from model.release import Clock, Round, commit_round
from model.state import TaskState
from model.stopwatch import Stopwatch
from model.traces import Traces
from schemas.evaluation import Outcome


class UnknownRecordError(RejectError):
    """Nothing that is kept of a task knows such a record; nothing was written."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting came to."""

    traces: Traces
    """Where the records were."""
    entry: LineageEntry | None
    """What was written; None for a dry run, and where they were forgotten before."""


def forget(
    state: TaskState,
    denied: DenyList,
    traces: Traces,
    *,
    who: str,
    why: str,
    config: TaskConfig,
    lineage: Lineage,
    exporter: Exporter,
    clock: Clock,
) -> Round:
    """Take records out of everything that is learned from, and put them on the deny list.

    1. Subtract them from the statistics; take them out of journal, holdout and replay memory. The
       journal is written anew as a whole, so that no older file of it is read again.
    2. Solve the head anew, where they were in the statistics or among the records that chose it,
       in the form that it has. A head that was trained is not solved: it keeps its trace until
       a refresh, as an encoder does that was tuned on them.
    3. Ask the gate, and write down what it says. It is obeyed by nobody here: erasure is owed.
    4. Export, prove, commit: a new version under the same encoder. The deny list is part of the
       entry, so that it holds from the very moment from which the records are gone.

    Raises:
        ParityError: the exported head and the model disagree.
        TipMovedError: an update was faster; load the new tip and do it again.
        StoreUnavailableError: the store does not answer.
    """
    watch = Stopwatch()
    with watch("fit"):
        gone = erased(state, denied, traces.counted)  # 1.
        after = replace(gone, denied=state.denied | denied)
        solved = _to_solve(state, gone)
        if solved:  # 2.
            head, _right = solve_candidate(
                gone, gone.statistics, config=config.head, keep_form=True
            )
            after = replace(after, head=head)
    with watch("evaluate"):  # 3.
        judged = _judged(state, gone, after, config) if solved else None
    forgetting = Forgetting(
        who=who,
        why=why,
        ids=in_order(after.denied.ids),
        texts=in_order(after.denied.texts),
        tuned=tuple(sorted({*tuned_on_denied(lineage, state.tip), *traces.tuned})),
        learned_by=traces.learned_by,
        num_learned=len(traces.counted),
        num_held_out=traces.num_held_out,
        num_remembered=traces.num_remembered,
    )
    findings = Findings(
        kind="forget",
        outcome=Outcome.FORGOTTEN,
        reason=_reason(forgetting, judged),
        config=config,
        trained_through=dict(state.tip.trained_through) if state.tip else {},
        rows=snapshot_rows(gone),
        snapshot=True,
        forgetting=forgetting,
        solved=solved,
        proof=gone.holdout.rows[::-1],
    )
    if judged is not None:
        findings = replace(
            findings,
            new=judged.new,
            old=judged.old,
            slices=judged.slices,
            champion_metrics=judged.champion_metrics,
            candidate_metrics=judged.candidate_metrics,
            metrics=judged.metrics,
        )
    return commit_round(  # 4.
        state, after, findings, lineage=lineage, exporter=exporter, watch=watch, clock=clock
    )


def _to_solve(state: TaskState, gone: TaskState) -> bool:
    """Whether the head that serves was made from anything that is gone."""
    if state.head is None or state.head.form == "softmax":
        return False
    chose = state.holdout.part("select") != gone.holdout.part("select")
    return chose or gone.statistics is not state.statistics


def _judged(
    state: TaskState, gone: TaskState, after: TaskState, config: TaskConfig
) -> Judgement | None:
    """What the gate says, on the held-out records that are left; nothing where none are."""
    if after.head is None or not gone.holdout.part("judge"):
        return None
    gate = config.gate.model_copy(update={"obey": False})
    return judge(
        gone,
        after.head,
        gone.statistics,
        candidate_features=gone.features,
        config=config.model_copy(update={"gate": gate}),
    )


def _reason(forgetting: Forgetting, judged: Judgement | None) -> str:
    said = f"; the gate, which only looks on: {judged.reason}" if judged else ""
    return (
        f"{forgetting.who} had records forgotten: {forgetting.why}; {forgetting.num_learned} "
        f"subtracted, {forgetting.num_held_out} no longer held out, {forgetting.num_remembered} "
        f"no longer remembered{said}"
    )
