from consumers.backtest.table import left_out
from tests.consumers.backtest.reports import BETTER, a_report


def test_rows_left_out_are_counted_file_by_file_and_nothing_is_said_where_there_are_none() -> None:
    report = a_report(better=BETTER)
    some = report.model_copy(update={"rows_left_out": {"a.jsonl": 7, "t.csv": 1}})

    assert left_out(report) == []
    assert left_out(some) == [
        "Rows that could not be used and were left out: 7 of a.jsonl, 1 of t.csv."
    ]
