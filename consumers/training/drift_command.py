"""A drift closes the task's open windows early: what has changed is learned the sooner."""

from model.lineage_entry import LineageEntry
from schemas.control import Action, Command


def close_on_drift(entry: LineageEntry) -> Command | None:
    """The command that an entry with a drift gives; the same entry always gives the same one."""
    drift = entry.evaluation.drift
    if drift is None:
        return None
    return Command(
        command_id=f"drift/{entry.task}/{entry.sequence}",
        action=Action.CLOSE,
        task=entry.task,
        who="freshet-train",
        why=(
            f"drift: {drift.error_after:.1%} of {drift.answers} answers wrong, "
            f"{drift.error_before:.1%} before record {drift.since_record}"
        ),
        given_at=entry.created_at,
    )
