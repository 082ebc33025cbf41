"""Prunes of stores that were written by hand."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from model.artifacts import ArtifactStore
from model.config import RetentionConfig
from model.prune import Pruned, prune
from tests.model.written import TASK, Written

LEAST = RetentionConfig(versions=1, ensemble=1, serving_hours=0, attempt_hours=1)
"""Keeps no more than must be kept."""
YEARS = timedelta(days=1000)
ATTEMPTS = f"tasks/{TASK}/attempts"


def pruned(
    store: ArtifactStore,
    config: RetentionConfig = LEAST,
    *,
    later: timedelta = YEARS,
    served: Collection[int] = (),
    dry_run: bool = False,
) -> Pruned:
    """Prune `later` than now."""
    now = datetime.now(UTC) + later
    return prune(store, lambda _: config, served={TASK: served}, clock=lambda: now, dry_run=dry_run)


def servable(written: Written) -> list[int]:
    """The versions whose head is there still."""
    found = []
    for number in written.lineage.sequences():
        version = written.lineage.entry(number).version
        if version and written.store.holds(version.head.path):
            found.append(number)
    return found
