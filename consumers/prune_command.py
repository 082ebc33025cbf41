"""`freshet models prune`: what may go, why the rest stays, and away with it."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from consumers.answering import served
from consumers.peek import BrokerSilentError
from consumers.settings import Settings
from model.artifacts import ArtifactStore, Stored
from model.errors import ConfigError
from model.prune import Pruned, TaskPlan, prune


def prune_store(
    settings: Settings, task: str | None, *, dry_run: bool, by_age_alone: bool
) -> Iterator[str]:
    """Prune, and tell line by line what stays, why, and what goes.

    Args:
        settings: store, broker, and what each task keeps: without a tasks file as much as its last
            round was told, so that a person without the file does not take more than the roles.
        task: only this one; None for all. Encoders are looked at in any case.
        dry_run: only tell.
        by_age_alone: do not ask the broker which versions answer.

    Raises:
        ConfigError: the broker does not answer and `by_age_alone` is not set.
        ArtifactRefusedError: an entry cannot be read, so that what it needs is not known.
        StoreUnavailableError: the store does not answer.
    """
    done = prune(
        ArtifactStore(settings.store, must_exist=True),
        lambda name: settings.task(name).retention if settings.config else None,
        served={} if by_age_alone else _served(settings),
        clock=lambda: datetime.now(UTC),
        task=task,
        dry_run=dry_run,
    )
    for name, plan in done.tasks.items():
        yield from _told(name, plan)
    encoders = {each.path.split("/")[1] for each in done.encoders}
    if encoders:
        yield f"encoders that no kept version uses: {', '.join(sorted(encoders))}"
    yield _sum(done, dry_run=dry_run)


def _served(settings: Settings) -> dict[str, frozenset[int]]:
    try:
        return served(settings)
    except BrokerSilentError as error:
        msg = (
            f"{error}, so that nobody knows which versions answer; with --by-age-alone those stay "
            "that were replaced within retention.serving_hours"
        )
        raise ConfigError(msg) from error


def _told(task: str, plan: TaskPlan) -> Iterator[str]:
    reasons: dict[int, list[str]] = defaultdict(list)
    for one in plan.kept:
        reasons[one.sequence].append(f"{one.why} ({one.use})")
    for sequence, whys in sorted(reasons.items()):
        yield f"{task} {sequence} stays: {'; '.join(dict.fromkeys(whys))}"
    rounds = {each.path.split("/")[3] for each in plan.doomed}
    if rounds:
        files = f"{len(plan.doomed)} files of {len(rounds)} rounds"
        yield f"{task}: {files} go, {_megabytes(plan.doomed)}"


def _sum(done: Pruned, *, dry_run: bool) -> str:
    if dry_run:
        return f"{len(done.doomed)} files would go, {_megabytes(done.doomed)}; nothing was deleted"
    gone = [each for each in done.doomed if each.path in frozenset(done.deleted)]
    return f"{len(gone)} files deleted, {_megabytes(gone)}"


def _megabytes(files: Collection[Stored]) -> str:
    return f"{sum(each.size_bytes for each in files) / 1e6:.1f} MB"
