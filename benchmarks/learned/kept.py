"""What earlier calls have measured, so that a call that was cut short goes on where it was."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.learned.runs import Outcome

KEPT = Path(__file__).parent.parent / "learning.json"

_OUTCOMES = TypeAdapter(list[Outcome])


def kept_outcomes() -> list[Outcome]:
    """All that is kept."""
    return _OUTCOMES.validate_json(KEPT.read_bytes()) if KEPT.exists() else []


def keep(outcomes: Iterable[Outcome]) -> None:
    """Written beside and renamed: a call that is cut short leaves a whole file."""
    partial = KEPT.with_suffix(".partial")
    held = sorted(outcomes, key=lambda each: each.key)
    partial.write_bytes(_OUTCOMES.dump_json(held, indent=1))
    partial.rename(KEPT)
