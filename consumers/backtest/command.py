"""The command line of `freshet backtest`. What learns is loaded once the arguments are right."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from consumers.column_options import with_columns
from consumers.console import opened_console
from consumers.datasets import Order, task_name
from consumers.options import with_training
from consumers.settings import load_settings
from model.errors import ConfigError
from schemas.base import TASK_NAME

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_TEST = "--test"


def run(arguments: Sequence[str]) -> None:
    """Run a backtest as these arguments ask."""
    app(args=spread(arguments), prog_name="freshet backtest")


def spread(arguments: Sequence[str]) -> list[str]:
    """Let `--test` take every file that follows it, up to the next option."""
    result: list[str] = []
    taking = False
    for argument in arguments:
        if taking and not argument.startswith("-"):
            result += [_TEST, argument]
            continue
        taking = argument == _TEST
        result += [] if taking else [argument]
    return [*result, _TEST] if taking and arguments[-1] == _TEST else result


@app.command()
@with_columns
def backtest(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Labeled texts: .jsonl, .csv (both also .gz) or .parquet. Each file is one slice "
            "of the stream, in this order. Rows with split = test are its test set, else a seeded "
            "15 % is held out; rows with split = valid are left out.",
        ),
    ],
    by: Annotated[
        str | None,
        typer.Option(
            "--slice",
            metavar="FIELD|time:N",
            help="Split one file: by a field's values, in order of first appearance, or into N "
            "equal parts by time (with --order given as the rows stand there).",
        ),
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(
            _TEST,
            metavar="FILE...",
            help="Test sets, one for each slice in their order or one for all, split as --slice "
            "splits where its rows have the field; takes every file that follows.",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Records in a window. Default: 500, unless --config or a plan's file sets "
            "window.records.",
        ),
    ] = None,
    compare: Annotated[
        str,
        typer.Option(
            metavar="PLAN,...",
            help="Plans with commas between: default, naive (fine-tuning window by window), "
            "replay (the same with the memory, 1:1), head (no refresh), a method's name, or a YAML "
            "file with one task's settings at top level.",
        ),
    ] = "default,naive,replay",
    joint: Annotated[
        bool, typer.Option("--joint", help="Also train on all slices at once, as the mark.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of every fit, joint too. Default: the task's."),
    ] = None,
    memory: Annotated[
        int,
        typer.Option(
            min=1, help="Records in the replay memory: of replay, with --no-log of every plan."
        ),
    ] = 500,
    no_log: Annotated[
        bool, typer.Option("--no-log", help="Older records come from the memory alone.")
    ] = False,
    order: Annotated[
        Order | None,
        typer.Option(
            help="How a file's rows follow each other. Default: by time where there are times, "
            "else shuffled."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of every draw: same seed, same stream, same result.")
    ] = 0,
    report: Annotated[Path | None, typer.Option(help="Write the report here, as JSON.")] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for pictures: matrices, curves, compute.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="Task whose settings in --config apply. Default: the file's name. All rows are "
            "one task, whatever their column says."
        ),
    ] = None,
    columns: Any,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with `defaults` and `tasks`. Default: none.")
    ] = None,
) -> None:
    """Replay labeled files under several plans and compare them: no Kafka, nothing is kept.

    Needs the extra `train`.
    """
    if task is not None and not TASK_NAME.fullmatch(task):
        raise ConfigError(f"--task is {task!r}, which is no task's name: {TASK_NAME.pattern}")
    names = tuple(name.strip() for name in compare.split(",") if name.strip())
    if not names:
        raise ConfigError("--compare names no plan")
    from consumers.backtest.options import BacktestOptions  # noqa: PLC0415 - keeps `--help` quick
    from consumers.backtest.preparation import prepare  # noqa: PLC0415
    from consumers.backtest.slicing import SliceOptions  # noqa: PLC0415

    options = BacktestOptions(
        slicing=SliceOptions(
            files=tuple(files),
            tests=tuple(test or ()),
            by=by,
            order=order,
            columns=columns,
            task=task or task_name(files[0]),
            seed=seed,
        ),
        compare=names,
        joint=joint,
        window=window,
        epochs=epochs,
        memory=memory,
        no_log=no_log,
        report=report,
        plots=plots,
    )
    settings = load_settings(**({} if config is None else {"config": config}))
    prepared = prepare(options, settings)
    learning: Any = with_training("consumers.backtest.run", "a backtest")
    learning.run_backtest(prepared, settings, opened_console())
