"""The run so far, made of facts alone: what closed, what was learned, decided, served.

Pure: facts come in through `apply` with the time at which they were seen; nothing is read here.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from consumers.demo.events import (
    Fact,
    LabeledSent,
    RoleJoined,
    RoleTroubled,
    RoundEvaluated,
    SetAside,
    TextAnswered,
    TextSent,
    TrainingIdle,
    TrainingProgressed,
    VersionAnnounced,
    WindowClosed,
)
from schemas.evaluation import EvaluationEvent, Outcome
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.window import TrainingWindow

KEPT_ANSWERS = 40
KEPT_TROUBLES = 20

RoundKey = tuple[str, int]
"""Task and sequence number of a lineage entry."""


@dataclass(slots=True)
class Round:
    """One lineage entry as it became known: evaluated, announced, first answered with."""

    evaluation: EvaluationEvent | None = None
    version: ModelVersion | None = None
    announced_at: datetime | None = None
    """When the broker appended it to `model-versions`."""
    first_answer_at: datetime | None = None

    @property
    def freshness_seconds(self) -> float | None:
        """From its windows' last record on the broker to its first prediction."""
        last = self.evaluation.last_appended_at if self.evaluation else None
        return _between(last, self.first_answer_at)

    @property
    def seconds(self) -> dict[str, float]:
        """Where the time went: the role's own stages, then `publish` and `swap` as seen outside."""
        seconds = dict(self.evaluation.seconds) if self.evaluation else {}
        publish = _between(
            self.evaluation.evaluated_at if self.evaluation else None, self.announced_at
        )
        swap = _between(self.announced_at, self.first_answer_at)
        if publish is not None:
            seconds["publish"] = publish
        if swap is not None:
            seconds["swap"] = swap
        return seconds


@dataclass(slots=True)
class DemoState:
    """Everything the display, the pacing and the report stand on."""

    sent: Counter[str] = field(default_factory=Counter)
    """Labeled texts sent, by task."""
    windows: dict[str, TrainingWindow] = field(default_factory=dict)
    rounds: dict[RoundKey, Round] = field(default_factory=dict)
    learned_windows: set[str] = field(default_factory=set)
    """Ids of windows that an evaluation event accounts for."""
    dead_windows: dict[str, int] = field(default_factory=dict)
    """Windows that could not be learned at all, and their records."""
    dead_labeled: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """Dead letters among the labeled texts by origin, and their task."""
    dead_texts: set[tuple[str, int, int]] = field(default_factory=set)
    texts_sent: dict[str, str] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    """Version that answered, by id of the text; a repeated answer counts once."""
    answers: deque[Prediction] = field(default_factory=lambda: deque(maxlen=KEPT_ANSWERS))
    troubles: deque[RoleTroubled] = field(default_factory=lambda: deque(maxlen=KEPT_TROUBLES))
    progress: TrainingProgressed | None = None
    """What the training role is doing; None when it is idle or not yet up."""
    idle_at: datetime | None = None
    joined: set[str] = field(default_factory=set)
    """Roles that hold their partitions."""
    moved_at: float | None = None
    """Monotonic time of the last fact that brings the end nearer."""

    def apply(self, facts: Sequence[Fact], *, now: float) -> None:
        """Take note of facts, in the order in which they were seen; `now` is monotonic, seconds."""
        for fact in facts:
            if self._moves(fact):
                self.moved_at = now
            self._take(fact)

    def _moves(self, fact: Fact) -> bool:
        if isinstance(fact, TextAnswered):
            held = self.rounds.get((fact.prediction.task, fact.prediction.version))
            return held is None or held.first_answer_at is None
        if isinstance(fact, TrainingIdle):
            return not self.is_idle
        return not isinstance(fact, TextSent | RoleTroubled)

    def _take(self, fact: Fact) -> None:
        match fact:
            case LabeledSent(task):
                self.sent[task] += 1
            case TextSent(text_id, text):
                self.texts_sent[text_id] = text
            case WindowClosed(window):
                self.windows.setdefault(window.window_id, window)
            case RoundEvaluated(evaluation):
                self._round(evaluation.task, evaluation.sequence).evaluation = evaluation
                self.learned_windows.update(evaluation.windows)
            case VersionAnnounced(version, appended_at):
                held = self._round(version.task, version.version)
                held.version = held.version or version
                held.announced_at = held.announced_at or appended_at
            case TextAnswered(prediction):
                self._answer(prediction)
            case SetAside():
                self._set_aside(fact)
            case TrainingProgressed():
                self.progress = fact
            case TrainingIdle(at):
                self.idle_at, self.progress = at, None
            case RoleJoined(role):
                self.joined.add(role)
            case RoleTroubled():
                self.troubles.append(fact)

    def _round(self, task: str, sequence: int) -> Round:
        return self.rounds.setdefault((task, sequence), Round())

    def _answer(self, prediction: Prediction) -> None:
        self.answers.append(prediction)
        self.answered.setdefault(prediction.id, prediction.version)
        held = self._round(prediction.task, prediction.version)
        first = held.first_answer_at
        at = prediction.predicted_at
        held.first_answer_at = at if first is None else min(first, at)

    def _set_aside(self, fact: SetAside) -> None:
        letter = fact.letter
        origin = (letter.topic, letter.partition, letter.offset)
        if fact.what == "labeled":
            key = (letter.key or b"").decode(errors="replace")
            self.dead_labeled[origin] = letter.task or key
        elif fact.what == "text":
            self.dead_texts.add(origin)
        else:
            try:
                window = TrainingWindow.decode(letter.value or b"")
            except ValidationError:
                return  # not a window at all: it holds no records of the books
            self.dead_windows[window.window_id] = window.num_records

    # What follows is asked, not told.

    @property
    def num_sent(self) -> int:
        """Labeled texts sent so far."""
        return self.sent.total()

    @property
    def pending(self) -> list[TrainingWindow]:
        """Closed windows that no round accounts for yet."""
        done = self.learned_windows | self.dead_windows.keys()
        return [window for window_id, window in self.windows.items() if window_id not in done]

    def evaluations(self) -> list[EvaluationEvent]:
        """Every evaluation in the order of its lineage."""
        ordered = sorted(self.rounds.items(), key=lambda item: item[0])
        return [held.evaluation for _, held in ordered if held.evaluation is not None]

    def promoted(self, task: str) -> list[Round]:
        """The promoted rounds of a task, oldest first."""
        ordered = sorted((key, held) for key, held in self.rounds.items() if key[0] == task)
        return [
            held
            for _, held in ordered
            if held.evaluation is not None and held.evaluation.outcome is Outcome.PROMOTED
        ]

    def open_records(self) -> Counter[str]:
        """Records sent that are in no closed window and no dead letter, by task."""
        held = Counter(self.sent)
        for window in self.windows.values():
            held[window.task] -= window.num_records
        held.subtract(self.dead_labeled.values())
        for evaluation in self.evaluations():
            # Trimmed ones are in two windows, refused ones in a window and a dead letter.
            held[evaluation.task] += evaluation.counts.trimmed + evaluation.counts.refused
        return held

    @property
    def is_idle(self) -> bool:
        """Whether every closed window is learned and the training role has said so since."""
        if self.pending:
            return False
        last = max((e.evaluated_at for e in self.evaluations()), default=None)
        return last is None or (self.idle_at is not None and self.idle_at >= last)

    def learned_all(self, window_records: int) -> bool:
        """Whether what was sent is learned, but for windows that are not full."""
        due = any(count >= window_records for count in self.open_records().values())
        return not due and not self.pending

    def missing(self) -> list[str]:
        """What is not done yet after the stream has ended, in words; empty at the end."""
        missing = [
            f"{count} records of {task} are in no closed window"
            for task, count in self.open_records().items()
            if count > 0
        ]
        missing += [f"window {w.window_id} has no evaluation yet" for w in self.pending]
        if not missing and not self.is_idle:
            missing.append("the training role has not said that it is idle")
        for task in self.sent:
            promoted = self.promoted(task)
            if promoted and promoted[-1].first_answer_at is None and promoted[-1].evaluation:
                newest = promoted[-1].evaluation.sequence
                missing.append(f"version {newest} of {task} has not answered a text yet")
        return missing


def _between(start: datetime | None, end: datetime | None) -> float | None:
    # Two clocks of one machine in milliseconds: a difference below zero is their rounding.
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
