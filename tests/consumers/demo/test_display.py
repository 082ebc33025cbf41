from rich.console import Console

from consumers.demo.display import LiveDisplay, PlainDisplay, Status, picture
from consumers.demo.events import (
    Fact,
    LabeledSent,
    RoleTroubled,
    RoundEvaluated,
    TextAnswered,
    TextSent,
    TrainingProgressed,
    VersionAnnounced,
    WindowClosed,
)
from consumers.demo.state import DemoState
from schemas.evaluation import Outcome
from tests.consumers.demo import made

STATUS = Status("headlines", 100, 12.0)


def facts() -> list[Fact]:
    first, second = made.window(0, closed=1.0), made.window(1, closed=8.0)
    rejected = made.evaluation(1, second, evaluated=9.0, outcome=Outcome.REJECTED)
    return [
        *[LabeledSent(made.TASK)] * 30,
        WindowClosed(first),
        TextSent("q1", "Kobalt [red] rises"),
        RoundEvaluated(made.evaluation(0, first, evaluated=3.0)),
        VersionAnnounced(made.version(0), made.at(3.5)),
        TextAnswered(made.prediction("q1", 0, answered=4.0)),
        WindowClosed(second),
        RoundEvaluated(rejected),
        WindowClosed(made.window(2)),
        TrainingProgressed("fitting", {"step": 12, "steps": 60, "loss": 0.5}, made.at(9.5)),
    ]


def drawn(width: int, height: int = 40) -> str:
    state = DemoState()
    state.apply(facts(), now=0.0)
    console = Console(width=width, height=height)
    with console.capture() as shown:
        console.print(picture(state, STATUS, width=width, height=height))
    return shown.get()


def test_the_picture_shows_windows_versions_training_and_answers() -> None:
    for width in (110, 180):
        told = drawn(width)
        assert "30/100 records" in told
        assert "promoted" in told
        assert "rejected" in told
        assert "0.800 > 0.850" in told
        assert "10 (count)" in told
        assert "fitting 12/60, loss 0.500" in told
        assert "v0 good (0.90): Kobalt [red] rises" in told
        assert "version 0 answers 3.0 s after its last record" in told
        assert "closed" in told


def test_the_picture_fits_a_small_terminal() -> None:
    lines = drawn(80, 24).splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)


def test_an_empty_run_can_be_drawn() -> None:
    console = Console(width=100, height=30)
    with console.capture() as shown:
        console.print(picture(DemoState(), STATUS, width=100, height=30))
    assert "no version yet" in shown.get()


def test_a_terminal_is_drawn_in_place_and_left_clean() -> None:
    console = Console(width=100, height=30, force_terminal=True)
    state = DemoState()
    with console.capture() as shown, LiveDisplay(console) as display:
        display.update(state, [], STATUS, now=0.0)
        display.update(state, [], STATUS, now=0.01)  # too soon to draw again
    # Once by the first update, once when it is left, and then wiped.
    assert shown.get().count("headlines") == 2
    assert shown.get().endswith("\x1b[2K")


def test_a_pipe_gets_one_line_an_event() -> None:
    told: list[str] = []
    state = DemoState()
    trouble = RoleTroubled("serve", "warning", "follow_delayed", "no broker")
    display = PlainDisplay(told.append)
    for fact in [*facts(), *facts(), trouble]:
        state.apply([fact], now=0.0)
        display.update(state, [fact], STATUS, now=0.0)
    assert sum("window 1 closed: mood, 10 records, count" in line for line in told) == 1
    assert sum("version 1 (increment) rejected" in line for line in told) == 1
    assert sum("version 0 answers 3.0 s after its last record" in line for line in told) == 1
    assert sum("training: fitting 12/60" in line for line in told) == 1
    assert "follow_delayed" in told[-1]
    assert len(told) == 9


def test_a_pipe_hears_of_a_refresh_while_nothing_is_fitted() -> None:
    told: list[str] = []
    fact = TrainingProgressed("recomputing", {"records": 2180}, made.at(9.5))

    PlainDisplay(told.append).update(DemoState(), [fact], STATUS, now=0.0)

    assert told[0].endswith("training: encodes anew 2180 records")
