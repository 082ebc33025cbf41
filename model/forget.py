"""The recipe of forgetting: records leave what is learned, exactly, and are never learned again."""

from dataclasses import replace

from model.candidate import solve_candidate
from model.config import TaskConfig
from model.denied import DenyList, in_order, tuned_on_denied
from model.erasure import erased, snapshot_rows, to_be_solved
from model.errors import RejectError
from model.evaluate import Judgement, judge
from model.exporter import Exporter
from model.findings import Findings
from model.lineage import Lineage
from model.lineage_entry import Forgetting
from model.release import Clock, Round, commit_round
from model.state import TaskState
from model.stopwatch import Stopwatch
from model.traces import Traces, find_traces
from schemas.evaluation import Outcome


class UnknownRecordError(RejectError):
    """Nothing that is kept of a task knows such a record; nothing was written."""


def forget(
    state: TaskState,
    denied: DenyList,
    *,
    who: str,
    why: str,
    unseen: bool,
    dry_run: bool,
    config: TaskConfig,
    lineage: Lineage,
    exporter: Exporter,
    clock: Clock,
) -> tuple[Traces, Round | None]:
    """Take records out of everything that is learned from, and put them on the deny list.

    1. Find them, in the state and in the journals of every round before.
    2. Subtract them from the statistics; take them out of journal, holdout and replay memory. The
       journal is written anew as a whole, so that no older file of it is read again.
    3. Solve the head anew, where they were in the statistics or among the records that chose it,
       in the form that it has. A head that was trained is not solved: it keeps its trace until
       a refresh, as an encoder does that was tuned on them.
    4. Ask the gate, and write down what it says. Nobody obeys it here: erasure is owed.
    5. Export, prove, commit: a new version under the same encoder. The deny list is part of the
       entry, so that it holds from the very moment from which the records are gone.

    Args:
        state: after the tip.
        denied: the records.
        who: asks for it.
        why: in their words, which are announced: nothing of a record should stand in them.
        unseen: deny them also where nothing is known of them.
        dry_run: find them, and write nothing.
        config: of the task.
        lineage: of the task.
        exporter: of the new head.
        clock: now, aware.

    Returns:
        Where they were found, and the round; None for a dry run, and where they were denied before.

    Raises:
        UnknownRecordError: nothing is known of them.
        ParityError: the exported head and the model disagree.
        TipMovedError: an update was faster; load the new tip and do it again.
        StoreUnavailableError: the store does not answer.
    """
    watch = Stopwatch()
    traces = find_traces(state, lineage, denied)  # 1.
    if not _anything_to_do(state, denied, traces, unseen=unseen) or dry_run:
        return traces, None
    with watch("fit"):
        gone = erased(state, denied, traces.counted)  # 2.
        after = replace(gone, denied=state.denied | denied)
        solved = to_be_solved(state, gone)
        if solved:  # 3.
            head, _right = solve_candidate(
                gone, gone.statistics, config=config.head, keep_form=True
            )
            after = replace(after, head=head)
    with watch("evaluate"):  # 4.
        judged = _judged(gone, after, config) if solved else None
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
        rows=snapshot_rows(gone) if traces else (),
        snapshot=bool(traces),
        forgetting=forgetting,
        solved=solved,
        proof=gone.holdout.rows[::-1],
    )
    if judged is not None:
        told = findings.judged(judged)
        findings = replace(told, outcome=findings.outcome, reason=findings.reason)
    done = commit_round(  # 5.
        state, after, findings, lineage=lineage, exporter=exporter, watch=watch, clock=clock
    )
    return traces, done


def _anything_to_do(state: TaskState, denied: DenyList, traces: Traces, *, unseen: bool) -> bool:
    """Not where all of it is denied already: then nothing of it can have come since."""
    if state.tip is None:
        raise UnknownRecordError("the task has no lineage: nothing was learned")
    if state.denied >= denied:
        return False
    if not traces and not unseen:
        msg = (
            "nothing that is kept of the task knows such a record, neither a journal nor a "
            "memory; nothing was written. Where it may wait in an open window, or may yet come, "
            "deny it with --unseen"
        )
        raise UnknownRecordError(msg)
    return True


def _judged(gone: TaskState, after: TaskState, config: TaskConfig) -> Judgement | None:
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
