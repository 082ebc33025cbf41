from consumers.demo.events import LabeledSent, RoundEvaluated, TrainingIdle, WindowClosed
from consumers.demo.pacing import QUIET_SECONDS, READY_SECONDS, Pacer, Pacing
from consumers.demo.state import DemoState
from tests.consumers.demo import made


def ready() -> DemoState:
    state = DemoState()
    state.apply([TrainingIdle(made.at(0))], now=0.0)
    return state


def send(state: DemoState, count: int, *, now: float) -> None:
    state.apply([LabeledSent(made.TASK)] * count, now=now)


def waiting(rate: float = 10.0) -> Pacer:
    return Pacer(Pacing(rate=rate, window_records=10, waits=True))


def test_a_rate_that_is_asked_for_is_kept_whatever_happens() -> None:
    pacer, state = Pacer(Pacing(rate=10.0, window_records=10, waits=False)), DemoState()
    assert pacer.due(state, now=5.0) == 1
    send(state, 1, now=5.0)
    assert pacer.due(state, now=10.0) == 50


def test_a_window_is_sent_at_the_rate_and_not_beyond_its_end() -> None:
    pacer, state = waiting(), ready()
    assert pacer.due(state, now=0.0) == 1
    assert pacer.due(state, now=0.5) == 6
    assert pacer.due(state, now=60.0) == 10


def test_the_next_window_waits_until_this_one_is_learned_and_training_is_idle() -> None:
    pacer, state = waiting(), ready()
    assert pacer.due(state, now=0.0) == 1
    send(state, 10, now=1.0)
    assert pacer.due(state, now=2.0) == 0  # not even closed
    window = made.window(0, closed=2.0)
    state.apply([WindowClosed(window)], now=2.0)
    assert pacer.due(state, now=3.0) == 0
    state.apply([RoundEvaluated(made.evaluation(0, window, evaluated=4.0))], now=4.0)
    assert pacer.due(state, now=4.0) == 0  # a refresh may be due
    state.apply([TrainingIdle(made.at(5.0))], now=5.0)
    assert pacer.due(state, now=5.0) == 1
    assert pacer.due(state, now=5.5) == 6  # at the rate from here, with no burst for the wait


def test_the_stream_begins_when_the_training_role_is_up() -> None:
    pacer, state = waiting(), DemoState()
    assert pacer.due(state, now=0.0) == 0
    state.apply([TrainingIdle(made.at(7.0))], now=7.0)
    assert pacer.due(state, now=7.0) == 1


def test_the_stream_begins_in_the_end_even_if_nobody_says_idle() -> None:
    pacer, state = waiting(), DemoState()
    assert pacer.due(state, now=0.0) == 0
    assert pacer.due(state, now=READY_SECONDS + 1) == 1


def test_a_learner_that_never_says_idle_does_not_hold_the_stream_for_ever() -> None:
    pacer, state = waiting(), ready()
    pacer.due(state, now=0.0)
    send(state, 10, now=1.0)
    window = made.window(0)
    state.apply(
        [WindowClosed(window), RoundEvaluated(made.evaluation(0, window, evaluated=1.0))], now=2.0
    )
    assert pacer.due(state, now=QUIET_SECONDS) == 0
    assert pacer.due(state, now=QUIET_SECONDS + 3.0) == 1
