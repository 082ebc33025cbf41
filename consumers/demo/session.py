"""One run, step by step: read what happened, send what is due, show it, until all is done."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from consumers.demo.display import Display, Status
from consumers.demo.events import Fact, LabeledSent, TextSent
from consumers.demo.pacing import Pacer
from consumers.demo.plan import Plan
from consumers.demo.state import DemoState
from consumers.produce import Pace
from model.errors import StopError
from schemas.labeled_text import LabeledText, TextToClassify

STALLED_SECONDS = 180.0
"""Without any progress for this long the run is given up, with what is missing."""
LAST_ANSWERS_SECONDS = 5.0
"""So long the texts on their way are waited for at the end."""
POLL_SECONDS = 0.1
MAX_QUESTIONS_AT_ONCE = 20


class StalledError(StopError):
    """Nothing has moved for too long; the message says what is missing."""


class Producer(Protocol):
    """What a run needs of `consumers.produce.TextProducer`."""

    def send_labeled(self, text: LabeledText) -> None:
        """Queue a labeled text."""
        ...

    def send_text(self, text: TextToClassify) -> None:
        """Queue a text that asks for a label."""
        ...

    def send_close(self, task: str, *, why: str) -> None:
        """Close the task's windows, after every labeled text is acknowledged."""
        ...


class DemoSession:
    """Streams a plan and follows what comes of it.

    Args:
        plan: what to send.
        facts: gives what happened since the last call; may wait `POLL_SECONDS`.
        check: raises when a role has ended.
        pacer: when labeled texts are due.
        questions: when texts that ask for a label are due.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        headline: str,
        producer: Producer,
        facts: Callable[[], Sequence[Fact]],
        check: Callable[[], object],
        display: Display,
        pacer: Pacer,
        questions: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = DemoState()
        self._plan = plan
        self._headline = headline
        self._producer = producer
        self._facts = facts
        self._check = check
        self._display = display
        self._pacer = pacer
        self._questions = questions
        self._clock = clock
        self._began = clock()
        self._asking_since: float | None = None
        self._closed = False

    def run(self) -> DemoState:
        """Go on until every window is learned and the newest version has answered.

        Raises:
            StalledError: nothing moves any more.
            RoleFailedError: a role has ended.
            ProduceError: the broker does not take records.
            WatchError: the broker does not answer.
        """
        while not self._closed or self.state.missing():
            self._step(asking=True)
        ended = self._clock()
        while self._unanswered() and self._clock() - ended < LAST_ANSWERS_SECONDS:
            self._step(asking=False)
        return self.state

    def _step(self, *, asking: bool) -> None:
        self._check()
        now = self._clock()
        facts = [*self._facts(), *self._send_labeled(now)]
        if asking:
            facts += self._ask(now)
        self.state.apply(facts, now=now)
        self._give_up_if_stalled(now)
        status = Status(self._headline, len(self._plan.texts), now - self._began)
        self._display.update(self.state, facts, status, now=now)

    def _send_labeled(self, now: float) -> list[Fact]:
        sent = self.state.num_sent
        due = self._plan.texts[sent : sent + self._pacer.due(self.state, now=now)]
        for text in due:
            self._producer.send_labeled(text)
        if not self._closed and sent + len(due) == len(self._plan.texts):
            for task in sorted({text.task for text in self._plan.texts}):
                self._producer.send_close(task, why="the demo's stream has ended")
            self._closed = True
        return [LabeledSent(text.task) for text in due]

    def _ask(self, now: float) -> list[Fact]:
        """Send the questions that are due, beside the stream, once someone is there to hear."""
        if "serve" not in self.state.joined or not self.state.num_sent:
            return []
        if self._asking_since is None:
            self._asking_since = now
        asked = len(self.state.texts_sent)
        due = self._questions.due(now - self._asking_since) - asked
        facts: list[Fact] = []
        for number in range(int(min(due, MAX_QUESTIONS_AT_ONCE))):
            task, text = next(self._plan.questions)
            text_id = f"question-{asked + number:06d}"
            self._producer.send_text(
                TextToClassify(id=text_id, task=task, text=text, sent_at=datetime.now(UTC))
            )
            facts.append(TextSent(text_id, text))
        return facts

    def _unanswered(self) -> int:
        answered = len(self.state.answered.keys() & self.state.texts_sent.keys())
        return len(self.state.texts_sent) - answered - len(self.state.dead_texts)

    def _give_up_if_stalled(self, now: float) -> None:
        moved_at = max(self._began, self.state.moved_at or 0.0)
        if now - moved_at < STALLED_SECONDS:
            return
        missing = self.state.missing() if self._closed else []
        if not missing:
            left = len(self._plan.texts) - self.state.num_sent
            missing = [f"{left} records are not sent yet: the roles have not caught up"]
        raise StalledError(
            f"nothing has moved for {STALLED_SECONDS:.0f} s; missing: {'; '.join(missing)}"
        )
