"""The recipe of a rollback: an older version serves again, and what came after it is set apart."""

from collections.abc import Iterable
from dataclasses import replace

from model.aftermath import Aftermath
from model.anchor import anchored
from model.candidate import solve_candidate
from model.clean_start import TRACE, clean_start
from model.config import TaskConfig
from model.data import Log
from model.denied import DenyList
from model.encoder import Encoder, Features
from model.erasure import erased, to_be_solved
from model.errors import ArtifactRefusedError, NotFoundError, RejectError
from model.evaluate import answers, learned_labels
from model.exporter import Exporter
from model.findings import Findings
from model.journal import Row
from model.ledger import ledger_of
from model.lineage import Lineage
from model.lineage_entry import LineageEntry, Rollback
from model.release import Clock, Round, commit_round
from model.retention import origin
from model.state import TaskState, load_state
from model.stopwatch import Stopwatch
from model.trial import Verdict
from schemas.evaluation import Outcome


class RollbackRefusedError(RejectError):
    """There is no such version to go back to, its files are gone, or records are at stake."""


class RecordsAtStakeError(RollbackRefusedError):
    """It would give up records that the log may hold, which is not at hand."""


def version_to_restore(lineage: Lineage, tip: LineageEntry, version: int | None) -> LineageEntry:
    """The entry of the version to go back to; by default the one that served before.

    Raises:
        RollbackRefusedError: nothing serves, there is no such entry, it was never promoted, or it
            serves already. One that was itself rolled back may serve again.
    """
    if tip.serving is None:
        raise RollbackRefusedError(f"no version of {lineage.task} serves yet")
    serving = origin(lineage.entry(tip.serving), lineage.entry)
    if version is None:
        serving = _not_to_forget(lineage, serving)
        version = serving.version.parent if serving.version else None
        if version is None:
            msg = f"version {serving.sequence} of {lineage.task} is the first: nothing before it"
            raise RollbackRefusedError(msg)
    try:
        entry = lineage.entry(version)
    except NotFoundError as error:
        msg = f"{lineage.task} has no version {version}: its last entry is {tip.sequence}"
        raise RollbackRefusedError(msg) from error
    if entry.version is None:
        msg = (
            f"entry {version} of {lineage.task} was never promoted ({entry.outcome.value}); "
            "`freshet models list` shows what was"
        )
        raise RollbackRefusedError(msg)
    original = origin(entry, lineage.entry)
    if original.sequence == serving.sequence:
        known = "" if tip.serving == version else f", as version {tip.serving}"
        raise RollbackRefusedError(f"version {version} of {lineage.task} serves already{known}")
    return original


def roll_back(
    state: TaskState,
    *,
    to: LineageEntry,
    encoder: Encoder,
    who: str,
    why: str,
    log: Log | None,
    config: TaskConfig,
    lineage: Lineage,
    exporter: Exporter,
    clock: Clock,
    give_up: bool = True,
    trial: Verdict | None = None,
    prequential_accuracy: float | None = None,
) -> Round:
    """Let an older version serve again, under a new number.

    1. Check that what followers will load is there, whole.
    2. Restore its encoder, head and statistics, as they belong together, less what is denied by
       now. What is known beside them (labels, held-out records, `trained_through`) stays the
       tip's: nothing is learned twice, and labels that came later wait for their records.
    3. Set the records learned since apart, with their features under the restored encoder: the
       next increment solves with and without them, as after a rejection, until they were tried
       often enough. Where the encoder was another, features come from the journals written before
       it changed, else from the texts in the replay memory or the log; what none holds is given
       up, and the reason says how much.
    4. Commit; the old graphs are announced again, so that nothing is exported or proven anew. Only
       where the old head had learned what is denied it is solved anew from what is left, exported
       and proven.

    Args:
        state: after the tip.
        to: the entry of the version to restore.
        encoder: its encoder.
        who: asked for it.
        why: in their words.
        log: to read records again, where `refresh.read_log` lets it; None where it is not at hand.
        config: of the task.
        lineage: of the task.
        exporter: of a head that is solved anew.
        clock: now, aware.
        give_up: whether to go on where records are lost because the log is not at hand.
        trial: how that of a refreshed encoder has ended that goes.
        prequential_accuracy: of the version that goes, on the windows that showed its fault.

    Raises:
        RollbackRefusedError: its files are not what its entry says.
        RecordsAtStakeError: records would be given up that the log may hold.
        TipMovedError: another worker was first; load the new tip.
        RetryError: store or log do not answer.
    """
    if state.tip is None:
        raise RollbackRefusedError(f"{lineage.task} has no lineage to roll back")
    watch = Stopwatch()
    _check_files(lineage, to)  # 1.
    with watch("read"):  # 2.
        restored = _restored(lineage, to, encoder, config)
        then = _without_denied(restored, lineage, to, state.denied)
        solves = to_be_solved(restored, then)
    with watch("evaluate"):  # 3.
        held_out = _holdout_features(state, then)
        at_hand = log if config.refresh.read_log else None
        since = Aftermath(state, then, to, held_out, lineage, at_hand)
        rows, blamed, tries = since.rows(), since.blamed(), since.tries()
        if since.given_up and log is None and config.refresh.read_log and not give_up:
            raise RecordsAtStakeError(
                f"{since.given_up} records learned since version {to.sequence} can be had from the "
                "log alone"
            )
        apart = _apart(rows, blamed)
        lost = tuple(sequence for sequence in blamed if sequence not in apart)
    after = replace(
        state,
        encoder=encoder,
        head=then.head,
        statistics=then.statistics.with_labels(len(state.labels)),
        journal=state.journal.replaced(rows),
        set_apart=apart,
        tries={sequence: tries.get(sequence, 0) for sequence in apart},
        features=held_out,
        replay=state.replay.without(
            {(row.id, row.sequence) for row in state.replay.rows if row.sequence in lost}
        ),
        probation=None,
        # A trial is of the encoder: where that stays, so does its trial.
        trial=state.trial if encoder.digest == state.encoder.digest else None,
    )
    if solves:
        head, _right = solve_candidate(after, after.statistics, config=config.head, keep_form=True)
        after = replace(after, head=head)
    after = _as_anchor(after, config)
    findings = Findings(
        kind="rollback",
        outcome=Outcome.ROLLED_BACK,
        reason=_reason(state, to, who=who, why=why, blamed=blamed, given_up=since.given_up)
        + ("; its head is solved anew without what is denied" if solves else "")
        + (f"; {TRACE}" if clean_start(lineage, state.tip, to) else ""),
        config=config,
        trained_through=dict(state.tip.trained_through),
        rows=rows,
        snapshot=True,
        given_up=lost,
        restored=to,
        solved=solves,
        trial=trial,
        prequential_accuracy=prequential_accuracy,
        proof=after.holdout.rows[::-1],
        rollback=Rollback(restores=to.sequence, blamed=blamed, who=who, why=why),
    )
    return commit_round(  # 4.
        state, after, findings, lineage=lineage, exporter=exporter, watch=watch, clock=clock
    )


def _not_to_forget(lineage: Lineage, serving: LineageEntry) -> LineageEntry:
    """The version whose predecessor is meant: nobody goes back to take a forgetting back."""
    while serving.kind == "forget" and serving.version and serving.version.parent is not None:
        serving = origin(lineage.entry(serving.version.parent), lineage.entry)
    return serving


def _check_files(lineage: Lineage, to: LineageEntry) -> None:
    version, files = to.version, to.files
    if version is None or files is None or files.head is None:
        raise RollbackRefusedError(f"entry {to.sequence} of {lineage.task} has no version")
    for artifact in (version.encoder, version.tokenizer, version.head, files.statistics):
        try:
            lineage.store.fetch(artifact)
        except ArtifactRefusedError as error:
            msg = f"version {to.sequence} of {lineage.task} cannot serve again: {error}"
            raise RollbackRefusedError(msg) from error


def _restored(
    lineage: Lineage, to: LineageEntry, encoder: Encoder, config: TaskConfig
) -> TaskState:
    try:
        return load_state(lineage, to, encoder, config)
    except ArtifactRefusedError as error:
        msg = f"version {to.sequence} of {lineage.task} cannot be learned on: {error}"
        raise RollbackRefusedError(msg) from error


def _without_denied(
    then: TaskState, lineage: Lineage, to: LineageEntry, denied: DenyList
) -> TaskState:
    """The restored state without what was forgotten since."""
    if denied == then.denied:
        return then
    ledger = ledger_of(then, lineage, to, denied, already=then.denied)
    return erased(then, denied, ledger.counted)


def _apart(rows: Iterable[Row], blamed: Iterable[int]) -> dict[int, tuple[Row, ...]]:
    """The rows of the blamed increments that would change what is learned."""
    held: dict[int, list[Row]] = {sequence: [] for sequence in blamed}
    for row in rows:
        if row.sequence in held:
            held[row.sequence].append(row)
    return {
        sequence: tuple(of_one)
        for sequence, of_one in held.items()
        if any(row.part == "learn" and row.features is not None for row in of_one)
    }


def _holdout_features(now: TaskState, then: TaskState) -> dict[str, Features]:
    """Features of what is held out now under the encoder of then."""
    if now.encoder.digest == then.encoder.digest:
        return dict(now.features)
    missing = [row for row in now.holdout.rows if row.id not in then.features]
    again = then.encoder.features([row.text for row in missing])
    found = dict(then.features) | {row.id: again[n] for n, row in enumerate(missing)}
    return {row.id: found[row.id] for row in now.holdout.rows}


def _as_anchor(after: TaskState, config: TaskConfig) -> TaskState:
    """The restored version is the anchor: a newer one may be what was rolled back."""
    if after.head is None:
        return after
    rows = after.holdout.part("judge")
    answered = answers(after.head, after.holdout_features(rows), after.labels)
    anchor, holdout = anchored(
        None,
        after.holdout,
        version=after.sequence,
        head=after.head,
        right={row.id: a == row.label for a, row in zip(answered, rows, strict=True)},
        known=learned_labels(after),
        same_encoder=True,
        config=config.gate,
    )
    return replace(after, anchor=anchor, holdout=holdout)


def _reason(
    state: TaskState,
    to: LineageEntry,
    *,
    who: str,
    why: str,
    blamed: tuple[int, ...],
    given_up: int,
) -> str:
    serving = state.tip.serving if state.tip else None
    apart = ", ".join(map(str, blamed)) or "none"
    lost = f"; {given_up} of their records have no features any more and are given up"
    return (
        f"{who} rolled version {serving} back to version {to.sequence}: {why}; "
        f"increments set apart: {apart}{lost if given_up else ''}"
    )
