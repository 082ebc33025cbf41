from consumers.demo.events import (
    LabeledSent,
    RoundEvaluated,
    TextAnswered,
    TextSent,
    TrainingIdle,
    TrainingProgressed,
    VersionAnnounced,
    WindowClosed,
)
from consumers.demo.state import DemoState
from schemas.evaluation import Outcome, RecordCounts
from tests.consumers.demo import made


def state_of(*facts: object, now: float = 0.0) -> DemoState:
    state = DemoState()
    state.apply(facts, now=now)  # type: ignore[arg-type]
    return state


def sent(count: int) -> list[LabeledSent]:
    return [LabeledSent(made.TASK)] * count


def test_freshness_counts_from_the_last_record_to_the_first_answer() -> None:
    window = made.window(0, closed=10.0)
    state = state_of(
        WindowClosed(window),
        VersionAnnounced(made.version(0), made.at(12.5)),
        RoundEvaluated(made.evaluation(0, window, evaluated=12.0)),
        TextAnswered(made.prediction("b", 0, answered=13.5)),
        TextAnswered(made.prediction("a", 0, answered=13.0)),
    )
    held = state.rounds[made.TASK, 0]
    assert held.freshness_seconds == 3.0
    assert held.seconds == {
        "queue": 0.5,
        "fit": 1.0,
        "evaluate": 0.25,
        "export": 0.25,
        "publish": 0.5,
        "swap": 0.5,
    }


def test_freshness_is_empty_where_nothing_was_promoted() -> None:
    window = made.window(0)
    rejected = made.evaluation(0, window, outcome=Outcome.REJECTED)
    state = state_of(WindowClosed(window), RoundEvaluated(rejected))
    assert state.rounds[made.TASK, 0].freshness_seconds is None
    assert state.promoted(made.TASK) == []


def test_a_window_that_is_told_twice_counts_once() -> None:
    window = made.window(0)
    state = state_of(*sent(10), WindowClosed(window), WindowClosed(window))
    assert state.open_records()[made.TASK] == 0
    assert state.pending == [window]


def test_a_repeated_dead_letter_counts_once() -> None:
    state = state_of(*sent(3), made.set_aside(1), made.set_aside(1), made.set_aside(2))
    assert len(state.dead_labeled) == 2
    assert state.open_records()[made.TASK] == 1


def test_a_repeated_answer_counts_once() -> None:
    answers = [TextAnswered(made.prediction("a", 0)), TextAnswered(made.prediction("a", 1))]
    assert state_of(TextSent("a", "how?"), *answers).answered == {"a": 0}


def test_a_window_that_cannot_be_learned_is_not_waited_for() -> None:
    window = made.window(0)
    dead = made.set_aside(0, what="window", value=window.encode())
    state = state_of(*sent(10), WindowClosed(window), dead)
    assert state.pending == []
    assert state.dead_windows == {window.window_id: 10}


def test_records_that_an_earlier_entry_accounts_for_are_not_counted_twice() -> None:
    first, again = made.window(0), made.window(0, records=12)
    counts = RecordCounts(learned=2, trimmed=10)
    state = state_of(
        *sent(12),
        WindowClosed(first),
        RoundEvaluated(made.evaluation(0, first)),
        WindowClosed(again),
        RoundEvaluated(made.evaluation(1, again, counts=counts)),
    )
    assert state.open_records()[made.TASK] == 0


def test_what_was_said_before_the_last_round_is_not_idleness() -> None:
    window = made.window(0)
    closed = [*sent(10), WindowClosed(window)]
    done = RoundEvaluated(made.evaluation(0, window, evaluated=5.0))
    assert not state_of(*closed, TrainingIdle(made.at(9.0))).is_idle
    assert not state_of(*closed, TrainingIdle(made.at(1.0)), done).is_idle
    assert state_of(*closed, done, TrainingIdle(made.at(5.1))).is_idle


def test_all_is_learned_when_only_an_unfinished_window_is_open() -> None:
    window = made.window(0)
    done = RoundEvaluated(made.evaluation(0, window, evaluated=1.0))
    learned = [WindowClosed(window), done, TrainingIdle(made.at(2.0))]
    assert state_of(*sent(15), *learned).learned_all(10)
    assert not state_of(*sent(20), *learned).learned_all(10)
    assert not state_of(*sent(10), WindowClosed(window)).learned_all(10)


def test_what_is_missing_is_told_until_the_newest_version_has_answered() -> None:
    window = made.window(0)
    steps = [
        (sent(10), "10 records of mood are in no closed window"),
        ([WindowClosed(window)], "has no evaluation yet"),
        (
            [RoundEvaluated(made.evaluation(0, window, evaluated=1.0))],
            "has not said that it is idle",
        ),
        ([TrainingIdle(made.at(2.0))], "version 0 of mood has not answered"),
    ]
    state = DemoState()
    for facts, told in steps:
        state.apply(facts, now=0.0)  # type: ignore[arg-type]
        assert any(told in line for line in state.missing())
    state.apply([TextAnswered(made.prediction("a", 0))], now=0.0)
    assert state.missing() == []


def test_answers_by_a_version_that_is_known_to_answer_are_no_progress() -> None:
    state = DemoState()
    state.apply([TextAnswered(made.prediction("a", 0))], now=1.0)
    state.apply([TextAnswered(made.prediction("b", 0))], now=2.0)
    assert state.moved_at == 1.0


def test_idleness_ends_what_the_training_role_was_doing() -> None:
    state = state_of(TrainingProgressed("fitting", {"step": 1, "steps": 2}, made.at(0)))
    assert state.progress is not None
    state.apply([TrainingIdle(made.at(1))], now=1.0)
    assert state.progress is None
