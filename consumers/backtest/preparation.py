"""All of a backtest that can be wrong before anything learns; nothing here loads torch."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from consumers.backtest.options import BacktestOptions
from consumers.backtest.places import check_plots, check_report
from consumers.backtest.plan_files import chosen_plans
from consumers.backtest.slicing import Sliced, make_slices
from consumers.settings import Settings
from model.backtest.plans import BacktestPlan, PlanOptions, named_plan, window_records
from model.backtest.slice import Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A backtest whose arguments were found right."""

    options: BacktestOptions
    sliced: Sliced
    plans: tuple[BacktestPlan, ...]
    joint: BacktestPlan | None
    """The plan whose fits joint training takes after, where it is asked for."""
    window: int
    """Records in a window of each plan that sets none of its own."""

    def notes(self) -> list[str]:
        """What a person should know before it runs."""
        slices, plans = self.sliced.slices, self.plans
        return [*self.sliced.notes, *_coarse(slices, plans), *_at_once(plans)]


def prepare(options: BacktestOptions, settings: Settings) -> Prepared:
    """Check where results go, find the plans, cut the files into slices: what is quick comes first.

    Raises:
        ConfigError: a place, a plan or an option cannot work, or pictures lack matplotlib.
        DatasetError: a file cannot be used.
    """
    if options.report is not None:
        check_report(options.report)
    if options.plots is not None:
        check_plots(options.plots)
        importlib.import_module("consumers.backtest.pictures")  # needs matplotlib
    asked = PlanOptions(
        window=options.window, memory=options.memory, epochs=options.epochs, no_log=options.no_log
    )
    config = settings.task(options.slicing.task)
    return Prepared(
        options=options,
        plans=tuple(chosen_plans(options.compare, config, asked)),
        joint=named_plan("default", config, asked) if options.joint else None,
        window=window_records(config, asked),
        sliced=make_slices(options.slicing),
    )


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
