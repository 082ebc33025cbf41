"""How far a backtest is: bars on a terminal, one line a window elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from consumers.progress import STAGES, in_words

QUIET_SECONDS = 30.0
"""After so long without a line, a step of what a plan does is one."""


class Display:
    """Told what a plan does; shows it.

    Args:
        console: where to; bars only where it is a terminal.
        records: of the whole stream.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, console: Console, *, records: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._records = records
        self._clock = clock
        self._began = self._told_at = clock()
        self._name = ""
        self._bar: TaskID | None = None
        self._bars = Progress(
            TextColumn("{task.description:>12}"),
            BarColumn(bar_width=10),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[doing]}", table_column=Column(ratio=1, no_wrap=True)),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def begin(self, name: str) -> None:
        """A plan begins."""
        self._name, self._began = name, self._clock()
        self._bar = self._bars.add_task(name, total=self._records, doing="loading the base model")
        self._line("begins")

    def end(self, summary: str) -> None:
        """The plan is done."""
        if self._bar is not None:
            self._bars.update(self._bar, completed=self._records, doing=summary)
        self._line(summary)

    def __call__(self, stage: str, /, **fields: Any) -> None:
        """Take note of a step; `window` closes one."""
        if stage == "window":
            self._window(**fields)
        elif self._bar is not None and stage in STAGES:
            if self._clock() - self._told_at >= QUIET_SECONDS:
                self._line(in_words(stage, fields))
            step = f" {fields['step']}/{fields['steps']}" if stage == "fitting" else ""
            self._bars.update(self._bar, doing=STAGES[stage] + step)

    def _window(self, *, records: int, prequential: float | None, **_rest: Any) -> None:
        if self._bar is not None:
            self._bars.update(self._bar, completed=records)
        told = "nothing served yet" if prequential is None else f"right before {prequential:.3f}"
        self._line(f"{records}/{self._records} records, {told}")

    def _line(self, text: str) -> None:
        self._told_at = self._clock()
        if not self._console.is_terminal:
            elapsed = self._told_at - self._began
            self._console.print(f"{self._name}: {text} ({elapsed:.0f} s)", highlight=False)
