"""Where a refresh must start from so that nothing of what was forgotten is in its encoder.

A refresh goes on from the champion's encoder, so that each encoder descends from those before: one
that was tuned on a record hands a trace of it down. Only a fit from an ancestor that no refresh had
tuned on the record yet is free of it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from model.denied import tuned_on_denied
from model.lineage import Lineage
from model.lineage_entry import EncoderRef, LineageEntry
from schemas.evaluation import Outcome

TRACE = (
    "its encoder may have been tuned on what is denied: "
    "`freshet forget TASK --refresh --who ... --why ...` mends that"
)
"""Of a version whose encoder descends from such a refresh."""


@dataclass(frozen=True, slots=True)
class CleanStart:
    """The newest ancestor of an encoder that was not tuned on what is denied."""

    encoder: EncoderRef | None
    """None: no round of the lineage names it; the base model is none the worse."""


def clean_start(
    lineage: Lineage,
    tip: LineageEntry | None,
    of: LineageEntry | None = None,
    *,
    also: Collection[int] = (),
) -> CleanStart | None:
    """Find where to start from; None where the encoder is clean as it is.

    Args:
        lineage: of the task.
        tip: its last entry, which says what is denied.
        of: the entry whose encoder it is about; by default the tip.
        also: sequences of refreshes that were tuned on what is yet to be denied.
    """
    entry, tuned = of or tip, tuned_on_denied(lineage, tip).union(also)
    if entry is None or entry.encoder is None or not tuned:
        return None
    found: CleanStart | None = None
    ancestor: str | None = entry.encoder.digest
    for at in lineage.back_from(entry):
        if at.sequence < min(tuned) and (found is None or found.encoder is not None):
            break
        if at.encoder is None or at.encoder.digest != ancestor:
            continue
        if found is not None and found.encoder is None:
            found = CleanStart(at.encoder)
        if at.kind == "refresh" and at.outcome is Outcome.PROMOTED:
            ancestor = at.fitted_from or _champions(lineage, at)
            if at.sequence in tuned:
                found = CleanStart(None)  # the next one that is met
    return found


def erased_since(lineage: Lineage, tip: LineageEntry | None, when: datetime) -> bool:
    """Whether a fit from such a start has brought a version after this moment."""
    for entry in lineage.back_from(tip) if tip else ():
        if entry.created_at < when:
            return False
        if entry.fitted_from is not None and entry.version is not None:
            return True
    return False


def _champions(lineage: Lineage, refresh: LineageEntry) -> str | None:
    """The encoder that was the champion's when a refresh began."""
    if refresh.sequence == 0:
        return None
    held = lineage.entry(refresh.sequence - 1).encoder
    return held.digest if held else None
