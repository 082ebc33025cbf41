"""What the terminal shows: one picture that changes in place, or a line an event elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from consumers.demo import words
from consumers.demo.events import Fact, RoleTroubled, SetAside, TrainingProgressed, WindowClosed
from consumers.demo.events import RoundEvaluated as Evaluated
from consumers.demo.state import DemoState, Round, RoundKey
from schemas.evaluation import EvaluationEvent, Outcome

REFRESH_SECONDS = 0.2
WIDE = 150
"""Columns from which the answers stand beside the versions instead of below."""
OF_A_REFRESH = {"rereading": "a refresh; reads at most", "recomputing": "encodes anew"}
"""Stages of a refresh that last, beside the fit, in words."""
COLOURS = {Outcome.PROMOTED: "green", Outcome.REJECTED: "yellow", Outcome.FAILED: "red"}


@dataclass(frozen=True, slots=True)
class Status:
    """What the state does not know: how much is to come and how long it has taken."""

    headline: str
    total: int
    """Labeled texts of the whole stream."""
    elapsed_seconds: float


class Display(Protocol):
    """Shows the run; must return at once."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def update(
        self, state: DemoState, facts: Sequence[Fact], status: Status, *, now: float
    ) -> None:
        """Show the state, in which `facts` are new. `now` is monotonic, in seconds."""
        ...


class LiveDisplay:
    """One picture, drawn again in place a few times a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn_at: float | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def update(
        self, state: DemoState, facts: Sequence[Fact], status: Status, *, now: float
    ) -> None:
        """Draw again, unless it was drawn a moment ago."""
        if self._drawn_at is not None and now - self._drawn_at < REFRESH_SECONDS:
            return
        self._drawn_at = now
        size = self._console.size
        self._live.update(
            picture(state, status, width=size.width, height=size.height), refresh=True
        )


class PlainDisplay:
    """One line an event, for a file or a pipe."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._windows: set[str] = set()
        self._evaluated: set[RoundKey] = set()
        self._fresh: set[RoundKey] = set()
        self._stage: tuple[str, int] = ("", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(
        self, state: DemoState, facts: Sequence[Fact], status: Status, *, now: float
    ) -> None:
        """Tell what is new."""
        for fact in facts:
            for line in self._lines(fact):
                self._tell(f"{status.elapsed_seconds:6.1f} s  {line}")
        for key, held in state.rounds.items():
            if held.evaluation and held.first_answer_at and key not in self._fresh:
                self._fresh.add(key)
                self._tell(f"{status.elapsed_seconds:6.1f} s  {words.fresh(held)}")
                self._tell(f"{'':10}{_first_answer(state, key)}")

    def _lines(self, fact: Fact) -> list[str]:
        match fact:
            case WindowClosed(window) if window.window_id not in self._windows:
                self._windows.add(window.window_id)
                return [words.window_closed(window, len(self._windows))]
            case Evaluated(evaluation):
                key = (evaluation.task, evaluation.sequence)
                known = key in self._evaluated
                self._evaluated.add(key)
                return [] if known else [words.evaluated(evaluation)]
            case TrainingProgressed(stage, fields):
                return self._progressed(stage, fields)
            case SetAside(what, letter):
                return [f"dead letter ({what}): {letter.reason}: {letter.detail}"]
            case RoleTroubled(role, level, event, detail):
                return [f"{role}: {level}: {event}: {detail}"]
        return []

    def _progressed(self, stage: str, fields: Mapping[str, Any]) -> list[str]:
        if stage in OF_A_REFRESH:
            return [f"training: {OF_A_REFRESH[stage]} {fields['records']} records"]
        step, steps = fields.get("step"), fields.get("steps")
        # Stages of an increment take a moment each; a line a fifth of a fit is enough to see it go.
        fifth = 5 * step // steps if step is not None and steps else 0
        if steps is None or (stage, fifth) == self._stage:
            return []
        self._stage = (stage, fifth)
        return [f"training: {stage} {step}/{steps}"]


def _first_answer(state: DemoState, key: RoundKey) -> str:
    task, version = key
    for answer in state.answers:
        if (answer.task, answer.version) == (task, version):
            return words.answered(answer, state.texts_sent.get(answer.id, answer.id))
    return ""


def picture(state: DemoState, status: Status, *, width: int, height: int) -> RenderableType:
    """The whole terminal: stream, versions, what is going on, and the last answers."""
    beside = width >= WIDE
    answers = min(12, max(3, height // 5))
    rows = max(4, height - 14 - (0 if beside else answers + 2))
    versions = versions_table(state, most=rows)
    questions = _answers(
        state, answers if not beside else rows, width=width // 3 if beside else width
    )
    body: RenderableType = Columns([versions, questions]) if beside else Group(versions, questions)
    return Group(_stream_line(state, status), body, _training_line(state), *_notes(state))


def versions_table(state: DemoState, *, most: int | None = None) -> Table:
    """The lineage, one line an entry, with the windows that wait below; the last `most` lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("version", "kind", "records", "prequential", "new holdout", "old holdout"):
        table.add_column(name, no_wrap=True)
    for name in ("decision", "fresh after"):
        table.add_column(name, no_wrap=True)
    tasks = {task for task, _ in state.rounds}
    rows = [
        _version_row(held, held.evaluation, state, show_task=len(tasks) > 1)
        for _, held in sorted(state.rounds.items(), key=lambda item: item[0])
        if held.evaluation is not None
    ]
    for window in state.pending:
        told = f"{window.num_records} ({window.reason})"
        rows.append(("[dim]...", "[dim]window", told, "", "", "", "[dim]closed", ""))
    for row in rows[-most:] if most else rows:
        table.add_row(*row)
    return table


def _version_row(
    held: Round, evaluation: EvaluationEvent, state: DemoState, *, show_task: bool
) -> tuple[str, ...]:
    closed = [state.windows[name] for name in evaluation.windows if name in state.windows]
    records = sum(window.num_records for window in closed)
    why = ", ".join(dict.fromkeys(str(window.reason) for window in closed))
    colour = COLOURS.get(evaluation.outcome, "default")
    name = f"{evaluation.task} {evaluation.sequence}" if show_task else f"{evaluation.sequence}"
    return (
        name,
        evaluation.kind,
        f"{records} ({why})" if closed else "",
        words.accuracy(evaluation.prequential_accuracy),
        words.compared(evaluation.new),
        words.compared(evaluation.old),
        f"[{colour}]{evaluation.outcome}[/]",
        words.seconds(held.freshness_seconds),
    )


def _stream_line(state: DemoState, status: Status) -> RenderableType:
    line = Table.grid(padding=(0, 1))
    line.add_row(
        Text(status.headline, style="bold"),
        ProgressBar(total=max(1, status.total), completed=state.num_sent, width=24),
        f"{state.num_sent}/{status.total} records, {len(state.windows)} windows,"
        f" {len(state.answered)}/{len(state.texts_sent)} texts answered,"
        f" {status.elapsed_seconds:.0f} s",
    )
    return line


def _training_line(state: DemoState) -> RenderableType:
    progress = state.progress
    line = Table.grid(padding=(0, 1))
    step = progress.fields.get("step") if progress else None
    steps = progress.fields.get("steps") if progress else None
    bar = ProgressBar(total=steps, completed=step or 0, width=24) if steps else Text("")
    line.add_row(Text("training:", style="bold"), words.working(progress, state), bar)
    return line


def _notes(state: DemoState) -> list[RenderableType]:
    """The last decision and the last swap in words, and what went wrong."""
    notes: list[RenderableType] = []
    ordered = [held for _, held in sorted(state.rounds.items(), key=lambda item: item[0])]
    decided = [held.evaluation for held in ordered if held.evaluation is not None]
    if decided:
        last = decided[-1]
        notes.append(Text(f"version {last.sequence} {last.outcome}: {last.reason}", style="dim"))
    swapped = [held for held in ordered if held.evaluation and held.first_answer_at]
    if swapped:
        notes.append(Text(words.fresh(swapped[-1]), style="dim"))
    if state.dead_labeled or state.dead_texts:
        told = f"{len(state.dead_labeled) + len(state.dead_texts)} dead letters"
        notes.append(Text(told, style="yellow"))
    if state.troubles:
        trouble = state.troubles[-1]
        told = f"{trouble.role}: {trouble.event}: {trouble.detail}"
        notes.append(Text(told, style="yellow", overflow="ellipsis", no_wrap=True))
    return notes


def _answers(state: DemoState, most: int, *, width: int) -> RenderableType:
    lines = [
        Text(
            words.answered(answer, state.texts_sent.get(answer.id, answer.id)),
            no_wrap=True,
            overflow="ellipsis",
        )
        for answer in list(state.answers)[-most:]
    ]
    shown = lines or [Text("no version yet", style="dim")]
    return Panel(Group(*shown), title="answers", width=max(40, width - 2), title_align="left")
