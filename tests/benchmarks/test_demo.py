"""The demo's limits: what breaks one, and what does not."""

from dataclasses import replace

import pytest

from benchmarks.demo import Figures, broken_limits, figures_of, lines_of
from tests.consumers.demo.made import TASK
from tests.consumers.demo.test_report import report_of, run_of_three_rounds

GOOD = Figures(
    windows=12,
    increments=12,
    refreshes=2,
    promoted=10,
    seconds=200.0,
    peak_memory_bytes=3 * 2**30,
    books_add_up=True,
    freshness_median_seconds=2.5,
    freshness_worst_seconds=9.0,
    first_accuracy={"news": 0.7},
    last_accuracy={"news": 0.8},
)


def test_a_good_run_breaks_no_limit_even_where_one_window_waited_behind_a_refresh() -> None:
    assert broken_limits(GOOD, timed=True) == []


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({"windows": 9}, "at least 10 windows of 200"),
        ({"refreshes": 1}, "at least 2 encoder refreshes"),
        ({"seconds": 240.5}, "within 240 s"),
        ({"peak_memory_bytes": 6 * 2**30 + 1}, "within 6 GiB"),
        ({"books_add_up": False}, "every record is in exactly one place"),
        ({"freshness_median_seconds": 4.1}, "new versions answer within 4.0 s"),
        ({"freshness_median_seconds": None}, "new versions answer within 4.0 s"),
        ({"last_accuracy": {"news": 0.7}}, "the last promoted version beats the first"),
        ({"last_accuracy": {}}, "the last promoted version beats the first"),
    ],
)
def test_each_limit_can_be_broken(change: dict[str, object], limit: str) -> None:
    assert broken_limits(replace(GOOD, **change), timed=True) == [limit]  # type: ignore[arg-type]


def test_a_file_may_take_as_long_as_it_takes() -> None:
    assert broken_limits(replace(GOOD, seconds=900.0), timed=False) == []


def test_figures_are_drawn_from_the_report() -> None:
    figures = figures_of(report_of(run_of_three_rounds()))

    assert (figures.increments, figures.refreshes, figures.promoted) == (2, 1, 2)
    assert figures.freshness_worst_seconds == figures.freshness_median_seconds is not None
    assert (figures.first_accuracy, figures.last_accuracy) == ({TASK: 0.7}, {TASK: 0.85})
    assert figures.books_add_up
    assert lines_of(figures)[-1].endswith("+15.0 points")
