"""A backtest from slices to a table: one run each plan, joint training, the report."""

import importlib
from contextlib import AbstractContextManager

from rich.console import Console

from consumers.backtest.advice import advice
from consumers.backtest.display import Display
from consumers.backtest.preparation import Prepared
from consumers.backtest.table import by_slice, comparison, left_out
from consumers.footprint import PeakMemory
from consumers.settings import REPRODUCIBLE, Settings, extend_environment
from model.backtest.exam import Exam
from model.backtest.joint import run_joint
from model.backtest.report import BacktestReport, PlanReport, SliceReport
from model.backtest.run import Machine, run_plan
from model.backtest.slice import Slice
from model.backtest.stream import stream_of
from model.device import cap_threads

_SAMPLE_SECONDS = 0.5


def run_backtest(prepared: Prepared, settings: Settings, console: Console) -> BacktestReport:
    """Compare plans on a stream, write the report, show the table.

    Raises:
        KeyboardInterrupt: it was interrupted; what was finished is written and shown.
    """
    options = prepared.options
    report = compared(prepared, settings, console)
    if options.report is not None:
        options.report.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    show(report, console)
    if options.plots is not None:
        pictures = importlib.import_module("consumers.backtest.pictures")  # needs matplotlib
        drawn = pictures.draw(report, options.plots)
        console.print(f"{len(drawn)} pictures in {options.plots}", highlight=False, markup=False)
    if not report.complete:
        raise KeyboardInterrupt
    return report


def compared(prepared: Prepared, settings: Settings, console: Console) -> BacktestReport:
    """Learn a stream under each plan, then all of it at once where joint training is asked for.

    One run a plan, on the same stream and test sets; joint training last. Interrupted, it returns
    the plans that were finished; before the first is, it raises.
    """
    extend_environment(REPRODUCIBLE)
    cap_threads(settings.threads)
    slicing = prepared.options.slicing
    reports: dict[str, PlanReport] = {}
    joint, complete = None, True
    for note in prepared.notes():
        console.print(note, highlight=False, markup=False)
    stream = stream_of(slicing.task, prepared.sliced.slices, seed=slicing.seed)
    exam = Exam(stream.slices)
    machine = Machine(
        cache=settings.cache.expanduser(), device=settings.device, threads=settings.threads
    )
    try:
        with Display(console, records=len(stream.records)) as display:
            for plan in prepared.plans:
                display.begin(plan.name)
                reports[plan.name] = run_plan(
                    plan, stream, exam, machine=machine, watch_memory=_watch, told=display
                )
                display.end(_reached(reports[plan.name]))
            if prepared.joint is not None:
                display.begin("joint")
                joint = run_joint(
                    prepared.joint,
                    stream,
                    exam,
                    device=settings.device,
                    watch_memory=_watch,
                    told=display,
                )
                display.end(_reached(joint))
    except KeyboardInterrupt:
        if not reports:
            raise
        complete = False
    return BacktestReport(
        task=stream.task,
        seed=slicing.seed,
        window=prepared.window,
        slices=[_slice(each) for each in stream.slices],
        rows_left_out=dict(prepared.sliced.rows_left_out),
        plans=reports,
        joint=joint,
        complete=complete,
    )


def show(report: BacktestReport, console: Console) -> None:
    """The comparison, the slices where there are several, rows left out, and the advice."""
    if not report.complete:
        console.print("interrupted; what was done before:")
    console.print(comparison(report))
    if len(report.slices) > 1:
        console.print(by_slice(report))
    for line in (*left_out(report), advice(report)):
        console.print(line, highlight=False, markup=False)


def _watch() -> AbstractContextManager[PeakMemory]:
    return PeakMemory().watching(every_seconds=_SAMPLE_SECONDS)


def _reached(plan: PlanReport) -> str:
    return f"average accuracy {plan.average_accuracy:.3f}, forgetting {plan.forgetting:.3f}"


def _slice(each: Slice) -> SliceReport:
    return SliceReport(
        name=each.name,
        train_records=len(each.train),
        test_records=len(each.test),
        labels=list(dict.fromkeys(text.label for text in each.train)),
    )
