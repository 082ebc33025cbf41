"""A backtest from files to a table: slices, plans, one run each, joint training, the report."""

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager

from rich.console import Console

from consumers.backtest.advice import advice
from consumers.backtest.display import Display
from consumers.backtest.options import BacktestOptions
from consumers.backtest.places import check_plots, check_report
from consumers.backtest.plan_files import chosen_plans
from consumers.backtest.slicing import make_slices
from consumers.backtest.table import by_slice, comparison
from consumers.footprint import PeakMemory
from consumers.settings import REPRODUCIBLE, Settings, extend_environment
from model.backtest.exam import Exam
from model.backtest.joint import run_joint
from model.backtest.plans import BacktestPlan, PlanOptions, named_plan, window_records
from model.backtest.report import BacktestReport, PlanReport, SliceReport
from model.backtest.run import Machine, run_plan
from model.backtest.stream import Slice, stream_of
from model.device import cap_threads

_SAMPLE_SECONDS = 0.5


def run_backtest(options: BacktestOptions, settings: Settings, console: Console) -> BacktestReport:
    """Compare plans on a stream, write the report, show the table.

    Raises:
        KeyboardInterrupt: it was interrupted; what was finished is written and shown.
        ConfigError: a plan or an option cannot work; told before anything runs.
        DatasetError: a file cannot be used; told before anything runs.
    """
    if options.report is not None:
        check_report(options.report)
    pictures = None
    if options.plots is not None:
        check_plots(options.plots)
        # Needs matplotlib: whether it is there is told before anything runs.
        pictures = importlib.import_module("consumers.backtest.pictures")
    report = compared(options, settings, console)
    if options.report is not None:
        options.report.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    show(report, console)
    if pictures is not None and options.plots is not None:
        drawn = pictures.draw(report, options.plots)
        console.print(f"{len(drawn)} pictures in {options.plots}", highlight=False, markup=False)
    if not report.complete:
        raise KeyboardInterrupt
    return report


def compared(options: BacktestOptions, settings: Settings, console: Console) -> BacktestReport:
    """Learn a stream under each plan, then all of it at once where joint training is asked for.

    1. Cut the files into slices; find the plans.
    2. One run a plan, on the same stream and test sets; joint training last. Interrupted, it
       returns the plans that were finished; before the first is, it raises.
    """
    extend_environment(REPRODUCIBLE)
    cap_threads(settings.threads)
    sliced = make_slices(options.slicing)  # 1.
    asked = PlanOptions(
        window=options.window, memory=options.memory, epochs=options.epochs, no_log=options.no_log
    )
    task = options.slicing.task
    reports: dict[str, PlanReport] = {}
    joint, complete = None, True
    config = settings.task(task)
    plans = chosen_plans(options.compare, config, asked)
    for note in (*sliced.notes, *_coarse(sliced.slices, plans), *_at_once(plans)):
        console.print(note, highlight=False, markup=False)
    stream = stream_of(task, sliced.slices, seed=options.slicing.seed)
    exam = Exam(stream.slices)
    machine = Machine(
        cache=settings.cache.expanduser(), device=settings.device, threads=settings.threads
    )
    try:
        with Display(console, records=len(stream.records)) as display:  # 2.
            for plan in plans:
                display.begin(plan.name)
                reports[plan.name] = run_plan(
                    plan, stream, exam, machine=machine, watch_memory=_watch, told=display
                )
                display.end(_reached(reports[plan.name]))
            if options.joint:
                display.begin("joint")
                joint = run_joint(
                    named_plan("default", config, asked),
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
        seed=options.slicing.seed,
        window=window_records(config, asked),
        slices=[_slice(each) for each in stream.slices],
        plans=reports,
        joint=joint,
        complete=complete,
    )


def show(report: BacktestReport, console: Console) -> None:
    """The comparison, the slices where there are several, and the advice."""
    if not report.complete:
        console.print("interrupted; what was done before:")
    console.print(comparison(report))
    if len(report.slices) > 1:
        console.print(by_slice(report))
    console.print(advice(report), highlight=False, markup=False)


def _coarse(slices: Sequence[Slice], plans: Sequence[BacktestPlan]) -> list[str]:
    """A window that holds the end of one slice and the start of the next blurs what comes of it."""
    window = max((plan.config.window.records for plan in plans), default=0)
    short = [each.name for each in slices if len(each.train) < window]
    if len(slices) < 2 or not short:
        return []
    names = ", ".join(short)
    return [
        (
            f"slices with fewer records than a window of {window}: {names}; they are scored once "
            "the window that holds their last record is learned, which holds records of the next: "
            "give a smaller --window to see what is forgotten"
        )
    ]


def _at_once(plans: Sequence[BacktestPlan]) -> list[str]:
    """What a plan that gathers windows is not given."""
    offline = ", ".join(plan.name for plan in plans if plan.config.mode == "offline")
    if not offline:
        return []
    return [f"a backtest learns each window at once, also where mode is offline: {offline}"]


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
