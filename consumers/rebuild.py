"""`freshet models rebuild`: makes a version once more from the log; says if it is the same."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from consumers.settings import REPRODUCIBLE, Settings, extend_environment
from consumers.training.span_log import SpanLog
from model.artifacts import ArtifactStore
from model.data import Progress
from model.environment import differences
from model.rebuild import Rebuilt, rebuild
from model.state_difference import FileDifference


def rebuilt(settings: Settings, task: str, version: int, *, progress: Progress) -> Rebuilt:
    """Rebuild a version; neither store nor broker is written to.

    Args:
        settings: store, broker, device; `threads` 0 takes as many as then.
        task: whose version.
        version: its sequence.
        progress: told how far it is.

    Raises:
        RebuildRefusedError: it cannot be made again, and why.
        RetryError: store or broker do not answer.
    """
    extend_environment(REPRODUCIBLE)
    # Not the cache of the train role, whose features a refresh would clear when it is done.
    with closing(SpanLog(settings)) as log, tempfile.TemporaryDirectory() as folder:
        templates = settings.cache.expanduser()
        return rebuild(
            ArtifactStore(settings.store, must_exist=True),
            task,
            version,
            log=log,
            cache=templates,
            features=Path(folder),
            device=settings.device,
            threads=settings.threads,
            progress=progress,
        )


def told(found: Rebuilt, settings: Settings) -> Iterator[str]:
    """What came of it, a line each, for a person."""
    recorded = found.recorded
    word = "the same" if found.equal else "NOT the same"
    yield f"{recorded.task}, version {recorded.sequence} ({recorded.kind}) rebuilt: {word}"
    for file in found.files:
        yield f"  {file.name}: {_compared(file)}"
    if recorded.rollback is not None:
        restored = recorded.rollback.restores
        yield f"  a rollback: its files are those of version {restored}, which can be rebuilt too"
    yield from _listed("came out otherwise", found.outcome)
    yield from _listed("environment", found.environment)
    today = differences(recorded.config, settings.task(recorded.task))
    yield from _listed("settings of today, which were not used", today)


def _compared(file: FileDifference) -> str:
    if file.equal:
        return f"equal, {file.then}"
    largest = "" if file.largest is None else f", largest difference {file.largest:.3g}"
    return f"differs, {file.then or 'none'} then, {file.now or 'none'} now{largest}"


def _listed(what: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield f"  {what}:"
        yield from (f"    {line}" for line in lines)
