"""A whole run against roles that answer at once, without a broker and without waiting."""

from collections.abc import Iterator, Sequence
from typing import Self

import pytest

from consumers.demo.display import Status
from consumers.demo.events import (
    Fact,
    RoleJoined,
    RoundEvaluated,
    TextAnswered,
    TrainingIdle,
    VersionAnnounced,
    WindowClosed,
)
from consumers.demo.pacing import Pacer, Pacing
from consumers.demo.plan import Plan
from consumers.demo.session import STALLED_SECONDS, DemoSession, StalledError
from consumers.demo.state import DemoState
from consumers.processes import RoleFailedError
from consumers.produce import Pace
from schemas.labeled_text import LabeledText, TextToClassify
from schemas.window import CloseReason
from tests.consumers.demo import made


class FakeRoles:
    """Windows, training and serving as they look from outside; a tenth of a second a step."""

    def __init__(self, *, window_records: int = 10) -> None:
        self.now = 0.0
        self.window_records = window_records
        self.labeled: list[LabeledText] = []
        self.closes: list[int] = []
        self.facts: list[Fact] = [RoleJoined("serve"), TrainingIdle(made.at(0.0))]
        self.windows = 0
        self.version = -1
        self.silent = False
        self.asked = 0
        self.most_waiting = 0

    def clock(self) -> float:
        return self.now

    def poll(self) -> Sequence[Fact]:
        self.now += 0.1
        taken, self.facts = self.facts, []
        return taken

    def send_labeled(self, text: LabeledText) -> None:
        self.labeled.append(text)
        if len(self.labeled) % self.window_records == 0:
            self._learn(self.window_records, CloseReason.COUNT)

    def send_close(self, task: str, *, why: str) -> None:
        self.closes.append(len(self.labeled))
        if left := len(self.labeled) % self.window_records:
            self._learn(left, CloseReason.COMMAND)

    def send_text(self, text: TextToClassify) -> None:
        self.asked += 1
        if self.version >= 0:
            answer = made.prediction(text.id or "", self.version, answered=self.now)
            self.facts.append(TextAnswered(answer))

    def _learn(self, records: int, reason: CloseReason) -> None:
        if self.silent:
            return
        window = made.window(self.windows, records=records, closed=self.now, reason=reason)
        self.windows += 1
        self.version += 1
        self.facts += [
            WindowClosed(window),
            VersionAnnounced(made.version(self.version), made.at(self.now + 0.1)),
            RoundEvaluated(made.evaluation(self.version, window, evaluated=self.now)),
            TrainingIdle(made.at(self.now + 0.1)),
        ]


class FakeDisplay:
    def __init__(self) -> None:
        self.statuses: list[Status] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(
        self, state: DemoState, facts: Sequence[Fact], status: Status, *, now: float
    ) -> None:
        self.statuses.append(status)


def questions() -> Iterator[tuple[str, str]]:
    while True:
        yield made.TASK, "how is it?"


def session_of(
    roles: FakeRoles, count: int, *, waits: bool = True, check: object = None
) -> DemoSession:
    texts = [
        LabeledText(id=f"{n}", task=made.TASK, text=f"text {n}", label="good") for n in range(count)
    ]
    return DemoSession(
        Plan("fake", texts, [], questions()),
        headline="fake",
        producer=roles,
        facts=roles.poll,
        check=check if callable(check) else lambda: None,
        display=FakeDisplay(),
        pacer=Pacer(Pacing(rate=50.0, window_records=roles.window_records, waits=waits)),
        questions=Pace(10.0),
        clock=roles.clock,
    )


@pytest.mark.parametrize("waits", [True, False])
def test_a_run_ends_when_all_is_learned_and_the_newest_version_has_answered(waits: bool) -> None:
    roles = FakeRoles()
    state = session_of(roles, 35, waits=waits).run()
    assert [text.id for text in roles.labeled] == [f"{n}" for n in range(35)]
    assert [window.reason for window in state.windows.values()] == ["count"] * 3 + ["command"]
    assert roles.closes == [35]
    assert state.promoted(made.TASK)[-1].first_answer_at is not None
    assert state.missing() == []


def test_texts_are_asked_at_their_rate_and_those_on_their_way_are_waited_for() -> None:
    roles = FakeRoles()
    state = session_of(roles, 35).run()
    assert roles.asked == len(state.texts_sent)
    assert roles.asked == pytest.approx(10 * roles.now, abs=60)  # the last wait asks nothing
    assert roles.asked > 5


def test_a_run_in_which_nothing_moves_is_given_up_and_says_what_is_missing() -> None:
    roles = FakeRoles()
    roles.silent = True
    with pytest.raises(StalledError, match="5 records of mood are in no closed window"):
        session_of(roles, 5).run()
    assert STALLED_SECONDS <= roles.now < STALLED_SECONDS + 5


def test_a_stream_that_cannot_go_on_says_how_much_is_left() -> None:
    roles = FakeRoles()
    roles.silent = True
    with pytest.raises(StalledError, match="15 records are not sent yet"):
        session_of(roles, 25).run()


def test_a_role_that_ends_ends_the_run() -> None:
    def check() -> None:
        raise RoleFailedError("The role train ended with status 1.")

    with pytest.raises(RoleFailedError, match="train"):
        session_of(FakeRoles(), 25, check=check).run()
