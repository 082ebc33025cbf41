"""The command line: one image, one command, several roles. A role is imported when it is run.

So `freshet --help` and the window role start without torch, and serving needs none.
"""

import importlib
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from consumers.column_options import with_columns
from consumers.options import (
    Config,
    Seed,
    Servers,
    Store,
    Task,
    TaskArgument,
    Who,
    clean_errors,
    require_training,
    settings_of,
    tell_note,
)

app = typer.Typer(
    name="freshet",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps a language model current from a Kafka stream. Settings come from FRESHET_* "
    "variables; --config, --store and --bootstrap-servers win over theirs.",
)

_HANDED_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
"""A command that has a command line of its own."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"freshet {metadata.version('freshet')}")
        raise typer.Exit


@app.callback()
def _freshet(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command()
def topics(config: Config = None, bootstrap_servers: Servers = None) -> None:
    """Create the topics that are missing and say where the others differ; changes none."""
    from consumers import topics_admin  # noqa: PLC0415 - a role, imported when run

    with clean_errors():
        settings = settings_of(config=config, bootstrap_servers=bootstrap_servers)
        raise typer.Exit(topics_admin.run(settings))


@app.command()
def windows(config: Config = None, bootstrap_servers: Servers = None) -> None:
    """Check labeled texts and gather them into windows. Needs no torch."""
    _run_role("consumers.windows.agent", config=config, bootstrap_servers=bootstrap_servers)


@app.command()
def train(config: Config = None, bootstrap_servers: Servers = None, store: Store = None) -> None:
    """Learn each window, prove the new version, announce it. Needs the extra `train`."""
    with clean_errors():
        require_training("freshet train")
    _run_role(
        "consumers.training.agent", config=config, bootstrap_servers=bootstrap_servers, store=store
    )


@app.command()
def serve(config: Config = None, bootstrap_servers: Servers = None, store: Store = None) -> None:
    """Answer texts, each with the newest version of its task. Needs no torch."""
    _run_role(
        "consumers.inference.agent", config=config, bootstrap_servers=bootstrap_servers, store=store
    )


@app.command()
@with_columns
def produce(
    *,
    file: Annotated[
        Path, typer.Argument(help="Labeled texts: .jsonl, .csv (both also .gz) or .parquet.")
    ],
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Records a second. Default: as fast as it goes.")
    ] = None,
    task: Task = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most records to send. Default: all.")
    ] = None,
    close: Annotated[
        bool, typer.Option("--close", help="Close the open windows of its tasks afterwards.")
    ] = False,
    seed: Seed = 0,
    columns: Any,
    bootstrap_servers: Servers = None,
) -> None:
    """Stream a file of labeled texts, in time order where it has times, else shuffled.

    Rows that cannot be used are named and left out. Every record is awaited.
    """
    from consumers import produce as producing  # noqa: PLC0415 - a role, imported when run
    from consumers.datasets import load_dataset  # noqa: PLC0415

    with clean_errors():
        settings = settings_of(bootstrap_servers=bootstrap_servers)
        dataset = load_dataset(file, columns=columns, task=task, seed=seed, text_in_ids=True)
        for complaint in dataset.complaints():
            typer.echo(complaint, err=True)
        typer.echo(
            producing.produce_dataset(dataset, settings, rate=rate, limit=limit, close=close)
        )


@app.command()
def refresh(
    task: TaskArgument,
    *,
    why: Annotated[str, typer.Option(help="The reason, for the lineage.")],
    who: Who = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
) -> None:
    """Ask the train role to refresh the encoder of a task now, whether or not that is due."""
    from consumers.refresh_command import ask_for_refresh  # noqa: PLC0415 - imported when run

    with clean_errors():
        settings = settings_of(config=config, bootstrap_servers=bootstrap_servers)
        told, note = ask_for_refresh(settings, task, who=who, why=why)
        tell_note(note)
        typer.echo(told)


@app.command(context_settings=_HANDED_ON)
def status(context: typer.Context) -> None:
    """Show at a glance tasks, lag, what each role does, and what is wrong."""
    _hand_on("consumers.status_cli", context)


@app.command(context_settings=_HANDED_ON)
def pause(context: typer.Context) -> None:
    """Learn nothing of a task until it is resumed: its windows wait, serving goes on."""
    context.args.insert(0, "pause")
    _hand_on("consumers.pause_cli", context)


@app.command(context_settings=_HANDED_ON)
def resume(context: typer.Context) -> None:
    """Learn a paused task again, from the windows that wait."""
    context.args.insert(0, "resume")
    _hand_on("consumers.pause_cli", context)


@app.command(context_settings=_HANDED_ON)
def models(context: typer.Context) -> None:
    """The versions of a task: list, show and diff them, export one, or roll back to one."""
    _hand_on("consumers.models_cli", context)


@app.command("dead-letters", context_settings=_HANDED_ON)
def dead_letters(context: typer.Context) -> None:
    """Records that could not be processed: list and show them, or send them again."""
    _hand_on("consumers.dead_letters_cli", context)


@app.command(context_settings=_HANDED_ON)
def forget(context: typer.Context) -> None:
    """Take a record out of what was learned, for good, and say what still holds it."""
    _hand_on("consumers.forget_cli", context)


@app.command(context_settings=_HANDED_ON)
def backtest(context: typer.Context) -> None:
    """Replay labeled files under several plans and compare them: no Kafka, nothing is kept."""
    _hand_on("consumers.backtest.command", context)


@app.command(context_settings=_HANDED_ON)
def broker(context: typer.Context) -> None:
    """Run an Apache Kafka on this machine until Ctrl-C, for trying things on one machine."""
    _hand_on("consumers.broker.command", context)


@app.command()
@with_columns
def demo(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labeled texts to stream: .jsonl, .csv (both also .gz) or .parquet. "
            "Default: generated financial headlines."
        ),
    ] = None,
    task: Task = None,
    window: Annotated[int, typer.Option(min=2, help="Records in a full window.")] = 200,
    report: Annotated[
        Path | None, typer.Option(help="Write the JSON report here. Default: report.json in --out.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for store, logs and broker; made anew by every run.")
    ] = Path("demo-out"),
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Records a second, whatever happens. Default: 200, and a window is sent when "
            "the one before is learned.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most records to stream. Default: all.")
    ] = None,
    questions_rate: Annotated[
        float, typer.Option(min=0.1, max=1000.0, help="Texts a second that ask for a label.")
    ] = 10.0,
    seed: Seed = 0,
    columns: Any,
    config: Config = None,
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(
            help="Kafka brokers, host:port with commas between. Default: "
            "KAFKA_BOOTSTRAP_SERVERS, else a local Kafka where java and mvn are there, else a "
            "broker in memory."
        ),
    ] = None,
) -> None:
    """Run the whole loop: broker, every role as a process, a stream, and a summary.

    Ends by itself. Ctrl-C stops every process it started.
    """
    from consumers.demo.plan import DemoOptions  # noqa: PLC0415 - a role, imported when run
    from consumers.demo.run import run_demo  # noqa: PLC0415

    with clean_errors():
        require_training("freshet demo")
        options = DemoOptions(
            data=data,
            columns=columns,
            task=task,
            window_records=window,
            report=report or out / "report.json",
            out=out,
            rate=rate,
            limit=limit,
            questions_rate=questions_rate,
            seed=seed,
        )
        run_demo(options, settings_of(config=config, bootstrap_servers=bootstrap_servers))


def _hand_on(module: str, context: typer.Context) -> None:
    """Run the command line of a module, which is imported only now."""
    with clean_errors():
        cli: Any = importlib.import_module(module)
        cli.run(context.args)


def _run_role(module: str, **given: Any) -> None:
    """Run a role until it ends, with its exit status."""
    from consumers.telemetry import set_up_logging  # noqa: PLC0415 - keeps `--help` quick

    with clean_errors():
        settings = settings_of(**given)
        set_up_logging(level=settings.log_level, log_format=settings.log_format)
        role: Any = importlib.import_module(module)
        raise typer.Exit(role.run(settings))


def main() -> None:
    """Run the command line."""
    app(prog_name="freshet")


if __name__ == "__main__":
    main()
