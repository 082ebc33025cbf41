"""What a backtest found, for a file."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.base import Count, Fraction, Seconds


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RoundReport(_Report):
    """One lineage entry: an increment, a refresh or a rollback."""

    sequence: Count
    kind: str
    outcome: str
    reason: str
    seconds: dict[str, Seconds]


class WindowReport(_Report):
    """A window and all that it set off."""

    records: Count
    """Of the stream, up to its end."""
    prequential: Fraction | None
    """Accuracy on it before it was learned; None before the first version."""
    seconds: Seconds
    """Increment and refresh together."""
    peak_memory_bytes: Count
    """Of the whole process while it was learned."""
    sample_steps: Count
    forward_passes: Count
    rounds: list[RoundReport]


class PlanReport(_Report):
    """What a plan reached and what it cost. The test sets' own cost is left out."""

    average_accuracy: Fraction
    """Over slices, after the last."""
    forgetting: float
    """Largest earlier accuracy minus the last, averaged over all slices but the last."""
    backward_transfer: float | None = None
    """Last accuracy minus that after the slice's own step; None where steps are not slices."""
    forward_transfer: float | None = None
    """Accuracy just before the slice's own step minus `accuracy_before`; None likewise."""
    accuracy_matrix: list[list[Fraction]]
    """Rows: after each slice's last record was learned. Columns: slices."""
    accuracy_before: list[Fraction]
    """The row before the first window: nothing answers, so nothing is right."""
    prequential: list[Fraction | None]
    """Of each window."""
    seconds: Seconds
    sample_steps: Count
    """Records that fits went forward and backward over, counted once an epoch."""
    forward_passes: Count
    """Records that were encoded without learning from them: windows as they came, and what
    refreshes read again."""
    peak_memory_bytes: Count
    windows: list[WindowReport]
    test_right: list[list[bool]]
    """At the end: whether each text of each slice's test set was answered rightly, in its order."""
    config: dict[str, Any]


class SliceReport(_Report):
    """A slice of the stream."""

    name: str
    train_records: Count
    test_records: Count
    labels: list[str]


class BacktestReport(_Report):
    """Every plan on one stream."""

    task: str
    seed: int
    window: Count
    """Records in a window of each plan that sets none of its own."""
    slices: list[SliceReport]
    rows_left_out: dict[str, Count] = Field(default_factory=dict)
    """Rows of each file that could not be used; only files that have any."""
    plans: dict[str, PlanReport]
    joint: PlanReport | None = None
    """All slices at once; its matrix has one row."""
    complete: bool = True
    """False: it was interrupted, and holds finished plans only."""
