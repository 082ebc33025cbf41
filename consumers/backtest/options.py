"""What a user asks of a backtest."""

from dataclasses import dataclass
from pathlib import Path

from consumers.backtest.slicing import SliceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOptions:
    """The stream, the plans to compare on it, and where the results go."""

    slicing: SliceOptions
    compare: tuple[str, ...] = ("default", "naive", "replay")
    """Names of plans, or YAML files."""
    joint: bool = False
    window: int | None = None
    """Records in a window; None is what a plan or the task's file sets, else 500."""
    epochs: int | None = None
    memory: int = 500
    no_log: bool = False
    report: Path | None = None
    plots: Path | None = None
