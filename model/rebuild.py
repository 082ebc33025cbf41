"""Rebuilds a version from the log and says whether it is the same, byte for byte.

A round depends on its parent, its records, its configuration and its environment, all of which its
entry names. So the lineage is cut before it, and the recipe that made it runs once more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import TaskConfig
from model.data import Log, Progress, Record
from model.denied import DenyList
from model.device import threads_as_in
from model.environment import differences
from model.errors import ArtifactRefusedError, NotFoundError, RejectError, SpanDeletedError
from model.learner import Learner
from model.lineage import Lineage
from model.lineage_entry import Forgetting, LineageEntry
from model.onnx_session import Device
from model.scratch_store import ScratchStore
from model.state_difference import FileDifference, files_between
from model.store import Store
from model.update import WindowRecords
from schemas.base import Span
from schemas.window import CloseReason, TrainingWindow, digest_ids, window_id


class RebuildRefusedError(RejectError):
    """What the version was made from is not there any more, or there is no such version."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A version as it is recorded, the same made again, and in what they differ."""

    recorded: LineageEntry
    made: LineageEntry
    files: tuple[FileDifference, ...]
    """Head and encoder, then what of the state behind the version differs."""
    outcome: tuple[str, ...]
    """What else came out otherwise, one line each."""
    environment: tuple[str, ...]
    """What differs between the environments, one line each."""

    @property
    def equal(self) -> bool:
        """Whether head and encoder are the same bytes."""
        return all(file.equal for file in self.files if file.serves)


def rebuild(
    store: Store,
    task: str,
    version: int,
    *,
    log: Log,
    cache: Path,
    features: Path,
    device: Device,
    threads: int,
    progress: Progress,
) -> Rebuilt:
    """Make a version once more; the store is only read.

    1. Cut the lineage before it: its parent is the tip of a scratch store over the real one.
    2. Run its recipe on the same records, under the recorded configuration, from the parent's
       files. The plan of a refresh lies with the parent, and the seed follows from both.
    3. Compare head and encoder, what else came out, and the environments.

    Args:
        store: where versions live.
        task: whose version.
        version: its sequence.
        log: to read the records again.
        cache: folder of this machine for graph templates.
        features: another one for features while a refresh runs; it is cleared at its end, so not
            that of a train role.
        device: where models run.
        threads: on which to compute; 0 takes those of the entry.
        progress: told how far it is.

    Raises:
        RebuildRefusedError: there is no such version, its parent's files are gone, or the log does
            not hold its records any more.
        RetryError: store or log do not answer.
    """
    recorded = _version(Lineage(store, task), version)
    scratch = _before(store, task, version)  # 1.
    learner = Learner(
        scratch,
        cache=cache,
        features=features,
        device=device,
        threads=threads,
        progress=progress,
        clock=lambda: recorded.created_at,
    )
    with threads_as_in(recorded.environment, threads=threads):  # 2.
        _check_parent(learner, recorded)
        made = _again(learner, recorded, _config_of(recorded), _LogOfThen(log, recorded))
    return Rebuilt(  # 3.
        recorded=recorded,
        made=made,
        files=tuple(files_between(recorded, made, then=store, now=scratch)),
        outcome=tuple(_otherwise(recorded, made)),
        environment=_environments(recorded, made),
    )


def _version(lineage: Lineage, version: int) -> LineageEntry:
    try:
        entry = lineage.entry(version)
    except NotFoundError as error:
        raise RebuildRefusedError(f"{lineage.task} has no version {version}") from error
    if entry.version is None:
        msg = f"entry {version} of {lineage.task} is no version: it was {entry.outcome.value}"
        raise RebuildRefusedError(msg)
    return entry


def _before(store: Store, task: str, version: int) -> ScratchStore:
    """The store as it was before the version was written down."""
    lineage = Lineage(store, task)
    later = [sequence for sequence in lineage.sequences() if sequence >= version]
    return ScratchStore(store, hidden=[lineage.path_of(sequence) for sequence in later])


def _check_parent(learner: Learner, recorded: LineageEntry) -> None:
    task, parent = recorded.task, recorded.sequence - 1
    try:
        tip = learner.state(task, recorded.config).tip
    except (ArtifactRefusedError, NotFoundError) as error:
        msg = (
            f"version {recorded.sequence} of {task} cannot be rebuilt: the state after entry "
            f"{parent}, from which it was made, is not whole any more: {error}"
        )
        raise RebuildRefusedError(msg) from error
    if (tip.sequence if tip else -1) != parent:
        msg = f"version {recorded.sequence} of {task} cannot be rebuilt: entry {parent} is gone"
        raise RebuildRefusedError(msg)


def _config_of(recorded: LineageEntry) -> TaskConfig:
    """The recorded configuration, in the precision that the hardware of then preferred."""
    config, then = recorded.config, recorded.environment
    if then is None or then.precision is None or config.fit.precision != "auto":
        return config
    fit = config.fit.model_copy(update={"precision": then.precision})
    return config.model_copy(update={"fit": fit})


def _again(learner: Learner, recorded: LineageEntry, config: TaskConfig, log: Log) -> LineageEntry:
    task = recorded.task
    if recorded.rollback is not None:
        taken_back = recorded.rollback
        return learner.rollback(
            task, taken_back.restores, config, who=taken_back.who, why=taken_back.why, log=log
        )
    if recorded.forgetting is not None:
        return _forgotten_again(learner, recorded, recorded.forgetting)
    if recorded.kind == "refresh":
        erases = recorded.fitted_from is not None
        return learner.refresh(task, "rebuilt", log, config, erases=erases)
    records = {span: log.read(task, span, strict=True) for span in recorded.spans}
    windows = [_window(recorded, span, held) for span, held in records.items()]
    return learner.increment(task, windows, config, log)


def _forgotten_again(learner: Learner, recorded: LineageEntry, was: Forgetting) -> LineageEntry:
    denied = DenyList(frozenset(was.ids), frozenset(was.texts))
    _, made = learner.forget(
        recorded.task, denied, recorded.config, who=was.who, why=was.why, unseen=True
    )
    if made is None:
        msg = f"entry {recorded.sequence} of {recorded.task} forgot what was denied before"
        raise RebuildRefusedError(msg)
    return made


def _window(recorded: LineageEntry, span: Span, records: Sequence[Record]) -> WindowRecords:
    """The window as the recipe sees it; what only its announcement said is made up."""
    at = recorded.evaluation.last_appended_at or recorded.created_at
    window = TrainingWindow(
        window_id=window_id(recorded.task, span),
        task=recorded.task,
        span=span,
        num_records=len(records),
        digest=digest_ids(record.id for record in records),
        label_counts={},
        opened_at=at,
        closed_at=at,
        last_appended_at=at,
        reason=CloseReason.COMMAND,
    )
    return WindowRecords(window, records)


@dataclass(frozen=True, slots=True)
class _LogOfThen:
    """The log, where it holds what it held when the version was made."""

    log: Log
    recorded: LineageEntry

    def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
        try:
            return self.log.read(task, span, strict=strict)
        except SpanDeletedError as error:
            if span in self.recorded.refresh_lost:
                raise  # as then: the refresh takes what is left
            msg = f"version {self.recorded.sequence} of {task} cannot be rebuilt: {error}"
            raise RebuildRefusedError(msg) from error


def _otherwise(recorded: LineageEntry, made: LineageEntry) -> Iterator[str]:
    for name in ("kind", "seed", "labels", "trained_through", "refresh_reads"):
        then, now = getattr(recorded, name), getattr(made, name)
        if then != now:
            yield f"{name}: {then} then, {now} now"
    if recorded.outcome is not made.outcome:
        yield f"outcome: {recorded.outcome.value} then, {made.outcome.value} now"
    yield from differences(recorded.evaluation.counts, made.evaluation.counts)


def _environments(recorded: LineageEntry, made: LineageEntry) -> tuple[str, ...]:
    if recorded.environment is None or made.environment is None:
        return ("the entry does not say in what environment it was made",)
    return differences(recorded.environment, made.environment)
