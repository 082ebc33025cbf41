"""The loop is held against its backtest by the error of a difference."""

from benchmarks.loop import Figures


def figures(loop: float) -> Figures:
    return Figures(
        stream="sentiment",
        seed=0,
        loop=loop,
        backtest=0.75,
        error=0.02,
        refreshes=3,
        seconds=300.0,
        books_add_up=True,
    )


def test_two_errors_are_the_spread() -> None:
    assert figures(0.72).within
    assert figures(0.78).within
    assert not figures(0.70).within
    assert not figures(0.80).within
