import io

from rich.console import Console
from rich.text import Text

from consumers.backtest.display import Display


def shown(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with Display(console, records=200, clock=lambda: 0.0) as display:
        display.begin("head")
        display("encoding", records=100)
        display("window", records=100, prequential=None, seconds=1.0)
        display("fitting", step=1, steps=9, loss=0.5)
        display("window", records=200, prequential=0.75, seconds=1.0)
        display.end("average accuracy 0.800")
    return out.getvalue()


def test_without_a_terminal_each_window_is_a_line() -> None:
    assert shown(terminal=False).splitlines() == [
        "head: begins (0 s)",
        "head: 100/200 records, nothing served yet (0 s)",
        "head: 200/200 records, right before 0.750 (0 s)",
        "head: average accuracy 0.800 (0 s)",
    ]


def test_on_a_terminal_there_is_a_bar_a_plan() -> None:
    told = shown(terminal=True)

    assert "200/200 0:00:00 average accuracy 0.800" in Text.from_ansi(told).plain


def test_in_80_columns_what_is_cut_is_what_a_plan_does() -> None:
    out = io.StringIO()
    with Display(Console(file=out, force_terminal=True, width=80), records=12757) as display:
        display.begin("feature_distill")
        display.end("average accuracy 0.931, forgetting 0.012")

    last = Text.from_ansi(out.getvalue()).plain.splitlines()[-1]
    assert last.startswith("feature_distill ")
    assert " 12757/12757 0:00:00 average accuracy" in last


def test_a_long_fit_is_told_now_and_then() -> None:
    out, seconds = io.StringIO(), iter([0.0, 0.0, 0.0, 10.0, 40.0, 40.0, 50.0, 60.0])
    console = Console(file=out, width=100)
    with Display(console, records=200, clock=lambda: next(seconds)) as display:
        display.begin("joint")
        for step in (1, 2, 3):
            display("fitting", step=step, steps=9, loss=0.5)
        display.end("average accuracy 0.800")
    assert out.getvalue().splitlines() == [
        "joint: begins (0 s)",
        "joint: fitting the encoder, step 2 of 9 (40 s)",
        "joint: average accuracy 0.800 (60 s)",
    ]
