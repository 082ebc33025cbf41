import json
from dataclasses import replace

import pytest
from rich.console import Console

from consumers.demo.events import (
    LabeledSent,
    RoundEvaluated,
    TextAnswered,
    TextSent,
    VersionAnnounced,
    WindowClosed,
)
from consumers.demo.report import DemoReport, make_report
from consumers.demo.scoring import Scores
from consumers.demo.state import DemoState
from consumers.demo.summary import summary
from schemas.evaluation import Outcome, RecordCounts
from schemas.window import CloseReason
from tests.consumers.demo import made


def run_of_three_rounds() -> DemoState:
    """35 records: two windows of 10, a third not evaluated, 2 dead letters, 3 in no window."""
    first, second, third = (made.window(n, closed=10.0 * n) for n in range(3))
    learned = RecordCounts(learned=7, held_out=2, duplicates=1)
    skipped = RecordCounts(learned=5, held_out=1, skipped=4)
    state = DemoState()
    state.apply(
        [
            *[LabeledSent(made.TASK)] * 35,
            made.set_aside(100),
            made.set_aside(101),
            *[WindowClosed(window) for window in (first, second, third)],
            TextSent("q1", "how?"),
            TextSent("q2", "why?"),
            RoundEvaluated(made.evaluation(0, first, evaluated=2.0, counts=learned)),
            VersionAnnounced(made.version(0), made.at(2.25)),
            TextAnswered(made.prediction("q1", 0, answered=2.5)),
            RoundEvaluated(
                made.evaluation(1, second, evaluated=12.0, counts=skipped, outcome=Outcome.REJECTED)
            ),
            RoundEvaluated(made.evaluation(2, evaluated=20.0, kind="refresh")),
            VersionAnnounced(made.version(2), made.at(20.5)),
        ],
        now=0.0,
    )
    return state


def report_of(state: DemoState, acknowledged: int = 35) -> DemoReport:
    scores = Scores({(made.TASK, 0): 0.7, (made.TASK, 2): 0.85}, {made.TASK: 100})
    return make_report(
        state,
        acknowledged=acknowledged,
        scores=scores,
        broker="a broker",
        peak_memory_bytes=3 * 2**30,
        seconds=61.0,
    )


def test_every_record_is_in_exactly_one_place() -> None:
    books = report_of(run_of_three_rounds()).records
    assert books.model_dump() == {
        "produced": 35,
        "learned": 12,
        "held_out": 3,
        "duplicates": 1,
        "dead_letters": 2,
        "skipped": 4,
        "open": 13,
    }
    assert books.add_up


def test_books_that_lack_a_record_do_not_add_up() -> None:
    state = run_of_three_rounds()
    window = made.window(5)
    lost = RecordCounts(learned=9)
    state.apply(
        [*[LabeledSent(made.TASK)] * 10, WindowClosed(window)],
        now=0.0,
    )
    state.apply([RoundEvaluated(made.evaluation(3, window, counts=lost))], now=0.0)
    assert not report_of(state, acknowledged=45).records.add_up


def test_a_record_whose_label_was_refused_is_a_dead_letter_and_in_no_other_place() -> None:
    state, window = DemoState(), made.window(0)
    counts = RecordCounts(learned=7, held_out=2, refused=1)
    set_aside = made.set_aside(3)
    letter = set_aside.letter.model_copy(update={"key": None, "task": made.TASK})
    state.apply([*[LabeledSent(made.TASK)] * 10, WindowClosed(window)], now=0.0)
    state.apply([RoundEvaluated(made.evaluation(0, window, counts=counts))], now=0.0)
    state.apply([replace(set_aside, letter=letter)], now=0.0)
    books = report_of(state, acknowledged=10).records
    assert (books.learned, books.held_out, books.dead_letters) == (7, 2, 1)
    assert (books.open, books.add_up) == (0, True)


def test_a_window_that_failed_for_good_is_skipped_once() -> None:
    state, window = DemoState(), made.window(0)
    dead = made.set_aside(0, what="window", value=window.encode())
    state.apply([*[LabeledSent(made.TASK)] * 10, WindowClosed(window), dead], now=0.0)
    books = report_of(state, acknowledged=10).records
    assert (books.skipped, books.open, books.add_up) == (10, 0, True)


def test_versions_say_what_was_decided_and_where_the_time_went() -> None:
    versions = report_of(run_of_three_rounds()).versions
    assert [(v.version, v.kind, v.decision) for v in versions] == [
        (0, "increment", "promoted"),
        (1, "increment", "rejected"),
        (2, "refresh", "promoted"),
    ]
    assert versions[0].freshness_seconds == 2.5
    assert versions[0].seconds.model_dump() == {
        "queue": 0.5,
        "fit": 1.0,
        "evaluate": 0.25,
        "export": 0.25,
        "publish": 0.25,
        "swap": 0.25,
    }
    assert versions[1].freshness_seconds is None
    assert versions[1].seconds.publish is None
    assert (versions[1].new.champion, versions[1].new.candidate) == (0.8, 0.85)


def test_the_margin_is_last_promoted_against_first() -> None:
    [margin] = report_of(run_of_three_rounds()).test_set
    assert (margin.first_version, margin.last_version, margin.records) == (0, 2, 100)
    assert abs(margin.margin - 0.15) < 1e-9


def test_answers_are_counted_by_version() -> None:
    predictions = report_of(run_of_three_rounds()).predictions
    assert (predictions.sent, predictions.answered) == (2, 1)
    assert predictions.by_version == {"0": 1}


def test_windows_say_why_they_closed_and_what_learned_them() -> None:
    windows = report_of(run_of_three_rounds()).windows
    assert [window.version for window in windows] == [0, 1, None]
    assert {window.reason for window in windows} == {CloseReason.COUNT}


def test_the_report_is_json_and_reads_back() -> None:
    report = report_of(run_of_three_rounds())
    raw = json.loads(report.model_dump_json())
    assert {"records", "windows", "versions", "predictions", "peak_memory_bytes", "seconds"} <= set(
        raw
    )
    assert DemoReport.model_validate(raw) == report


def test_the_summary_shows_books_versions_margin_and_places() -> None:
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(
            summary(report_of(run_of_three_rounds()), places={"logs": "out/logs"}, width=200)
        )
    told = shown.get()
    assert "35 produced = 12 learned + 3 held out + 1 duplicates + 2 dead letters" in told
    assert "+15.0 points" in told
    assert "1 encoder refreshes, 2 versions promoted" in told
    assert "out/logs" in told
    assert "do not add up" not in told


@pytest.mark.parametrize("width", [80, 130, 200])
def test_no_figure_of_the_summary_is_cut(width: int) -> None:
    report = report_of(run_of_three_rounds())
    slow = report.versions[0].model_copy(
        update={"decision": Outcome.ROLLED_BACK, "freshness_seconds": 1234.5}
    )
    other = slow.model_copy(update={"task": "financial-sentiment", "version": 1000})
    report = report.model_copy(update={"versions": [*report.versions, slow, other]})
    console = Console(width=width)
    with console.capture() as shown:
        console.print(summary(report, places={}, width=width))
    assert "\u2026" not in shown.get()
    assert {f"Versions of {made.TASK}", "Versions of financial-sentiment"} <= {
        line.strip() for line in shown.get().splitlines()
    }
    for version in report.versions:
        assert version.test_accuracy is None or f"{version.test_accuracy:.3f}" in shown.get()
