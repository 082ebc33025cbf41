import io

from rich.console import Console

from consumers.backtest.table import by_slice, comparison, left_out
from tests.consumers.backtest.reports import BETTER, a_report


def test_rows_left_out_are_counted_file_by_file_and_nothing_is_said_where_there_are_none() -> None:
    report = a_report(better=BETTER)
    some = report.model_copy(update={"rows_left_out": {"a.jsonl": 7, "t.csv": 1}})

    assert left_out(report) == []
    assert left_out(some) == [
        "Rows that could not be used and were left out: 7 of a.jsonl, 1 of t.csv."
    ]


def test_the_tables_are_whole_in_80_columns() -> None:
    report = a_report(better=BETTER)
    plan = next(iter(report.plans.values())).model_copy(
        update={"seconds": 12345.6, "sample_steps": 123456, "forward_passes": 123456}
    )
    report = report.model_copy(update={"plans": dict.fromkeys(("default", "naive"), plan)})
    out = io.StringIO()
    console = Console(file=out, width=80)
    console.print(comparison(report))
    console.print(by_slice(report))

    told = out.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in told
    assert max(map(len, told.splitlines())) <= 80
    assert [line.split()[0] for line in told.splitlines() if "12346" in line] == [
        "default",
        "naive",
    ]
