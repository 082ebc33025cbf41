"""`freshet models`: what the lineages in the store say, a way back, and a way out."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from consumers.console import opened_console
from consumers.options import (
    Config,
    Servers,
    Store,
    TaskArgument,
    Who,
    say_progress,
    settings_of,
    with_training,
)
from consumers.stored_rounds import check_known, entries_of, entry_of, opened_store, pruned
from consumers.version_tables import facts, rounds_table
from consumers.who import this_user
from model.artifacts import ArtifactStore
from model.errors import RejectError
from model.lineage import Lineage, tasks_in

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="What was learned, from what, and why it serves.",
)

NO_REASON = "no reason given"

Json = Annotated[bool, typer.Option("--json", help="Print the lineage entries as JSON lines.")]


def run(arguments: Sequence[str]) -> None:
    """Run the command that these arguments name."""
    app(args=list(arguments), prog_name="freshet models")


@app.command("list")
def list_versions(
    task: Annotated[str | None, typer.Argument(help="Only this task.")] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """List every round of every task: what came of it, and which version serves."""
    opened = opened_store(store)
    names = [task] if task else tasks_in(opened)
    if not names:
        typer.echo(f"no versions in {opened.uri} yet", err=True)
    damaged = False
    for name in names:
        try:
            entries = entries_of(opened, name)
        except RejectError as error:
            if task:
                raise
            damaged = True
            typer.echo(f"freshet: {name}: {error}", err=True)
            continue
        if json:
            for entry in entries:
                typer.echo(entry.model_dump_json())
        else:
            opened_console().print(rounds_table(name, entries))
    if damaged:
        raise typer.Exit(1)


@app.command()
def show(
    task: TaskArgument,
    version: Annotated[
        int | None, typer.Argument(help="Sequence of the round. Default: what serves.")
    ] = None,
    store: Store = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the lineage entry as JSON.")] = False,
    plots: Annotated[
        Path | None,
        typer.Option(
            help="Folder for pictures: confusion, ROC, reliability, learning and forgetting "
            "curves up to this round. Needs the extra `plots`."
        ),
    ] = None,
    picture_format: Annotated[
        Literal["png", "svg"], typer.Option("--format", help="Of the pictures.")
    ] = "png",
) -> None:
    """Show one round: its records down to offsets, its evidence, its decision and its files."""
    opened = opened_store(store)
    entry = entry_of(opened, task, version)
    if plots is not None:
        # Only here: without --plots nothing needs matplotlib.
        pictures: Any = importlib.import_module("consumers.version_pictures")
        history = [held for held in entries_of(opened, task) if held.sequence <= entry.sequence]
        for file in pictures.draw(history, plots, suffix=picture_format):
            typer.echo(file, err=True)
    if json:
        typer.echo(entry.model_dump_json(indent=2))
        return
    table = Table(title=f"{task}, round {entry.sequence}", show_header=False, title_justify="left")
    for name, value in (*facts(entry), *pruned(opened, entry)):
        if value not in {"", "-"}:  # what does not apply would bury the rest
            table.add_row(name, value)
    opened_console().print(table)


@app.command()
def diff(
    task: TaskArgument,
    first: Annotated[int, typer.Argument(help="Sequence of one round.")],
    second: Annotated[int, typer.Argument(help="Sequence of the other.")],
    store: Store = None,
) -> None:
    """Show in what two rounds differ, and which records lie between them."""
    opened = opened_store(store)
    one, two = (entry_of(opened, task, sequence) for sequence in (first, second))
    table = Table(title=f"{task}, rounds {first} and {second}", title_justify="left")
    for heading in ("", str(first), str(second)):
        table.add_column(heading)
    others = dict(facts(two))
    for name, value in facts(one):
        if value != others[name]:
            table.add_row(name, value, others[name])
    opened_console().print(table)


@app.command()
def rollback(
    task: TaskArgument,
    version: Annotated[
        int | None, typer.Argument(help="Version to restore. Default: the one before what serves.")
    ] = None,
    *,
    who: Who = None,
    why: Annotated[str, typer.Option("--why", help="The reason, for the lineage.")] = NO_REASON,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with `defaults` and `tasks`. Default: none.")
    ] = None,
    bootstrap_servers: Annotated[
        str | None, typer.Option(help="Kafka brokers that learn of it at once.")
    ] = None,
    without_log: Annotated[
        bool,
        typer.Option(
            "--without-log",
            help="Where no broker answers: go on, and give up the records that its log alone "
            "holds. Without it such a rollback is refused.",
        ),
    ] = False,
    store: Store = None,
) -> None:
    """Let an older version serve again; what was learned since is set apart and tried again.

    Needs the extra `train`.
    """
    settings = settings_of(config=config, bootstrap_servers=bootstrap_servers, store=store)
    rolling: Any = with_training("consumers.rollback", "a rollback")
    entry, fault = rolling.roll_back(
        settings,
        task,
        version,
        who=who or this_user(),
        why=why,
        progress=say_progress(),
        without_log=without_log,
    )
    typer.echo(f"{task}: entry {entry.sequence} serves; {entry.evaluation.reason}")
    if fault is not None:
        typer.echo(
            f"not announced ({fault}); the train role announces it with its next round", err=True
        )


@app.command()
def prune(
    task: Annotated[str | None, typer.Argument(help="Only this task. Default: all.")] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would go, and why the rest stays.")
    ] = False,
    by_age_alone: Annotated[
        bool,
        typer.Option(
            "--by-age-alone",
            help="Do not ask the broker which versions answer: keep those that were replaced "
            "within retention.serving_hours.",
        ),
    ] = False,
    config: Config = None,
    bootstrap_servers: Servers = None,
    store: Store = None,
) -> None:
    """Remove the files that no kept version needs; the rounds stay in the list, with their figures.

    What a task keeps stands under `retention` in its settings; without --config it is what its last
    round was told. Safe beside running roles.
    """
    settings = settings_of(config=config, bootstrap_servers=bootstrap_servers, store=store)
    if task is not None:
        check_known(ArtifactStore(settings.store, must_exist=True), task)
    pruning: Any = importlib.import_module("consumers.prune_command")
    for line in pruning.prune_store(settings, task, dry_run=dry_run, by_age_alone=by_age_alone):
        typer.echo(line)


@app.command()
def rebuild(
    task: TaskArgument,
    version: Annotated[int, typer.Argument(help="Version to rebuild.")],
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with `defaults` and `tasks`, to say what has changed since. "
            "Default: none."
        ),
    ] = None,
    bootstrap_servers: Annotated[
        str | None, typer.Option(help="Kafka brokers that hold the log.")
    ] = None,
    store: Store = None,
) -> None:
    """Make a version once more from the log and compare: the same head and encoder, byte for byte?

    Nothing is written. On as many threads as then, unless FRESHET_THREADS says otherwise. Exit
    status 1 where they differ. Needs the extra `train`.
    """
    settings = settings_of(config=config, bootstrap_servers=bootstrap_servers, store=store)
    check_known(ArtifactStore(settings.store, must_exist=True), task)
    rebuilding: Any = with_training("consumers.rebuild", "a rebuild")
    found = rebuilding.rebuilt(settings, task, version, progress=say_progress())
    for line in rebuilding.told(found, settings):
        typer.echo(line)
    if not found.equal:
        raise typer.Exit(1)


@app.command()
def export(
    task: TaskArgument,
    version: Annotated[
        int | None, typer.Argument(help="Version to export. Default: what serves.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    ensemble: Annotated[
        int,
        typer.Option(
            min=1, help="Versions with encoders of their own whose mean score is exported."
        ),
    ] = 1,
    store: Store = None,
) -> None:
    """Write a version, or the last few as an ensemble, as one ONNX graph with its tokenizer.

    Needs the extra `train`.
    """
    settings = settings_of(store=store)
    opened = opened_store(store)
    lineage, entry = Lineage(opened, task), entry_of(opened, task, version)
    exporting: Any = with_training("consumers.export", "an export")
    made = exporting.export(settings, lineage, entry, ensemble=ensemble, out=out)
    versions = ", ".join(map(str, made.versions))
    typer.echo(f"{task}: {out} holds version {versions}; torch and it differ by {made.parity:.1e}")
    if len(made.versions) > 1 and made.num_judged:
        typer.echo(
            f"accuracy on {made.num_judged} held-out records: ensemble {made.accuracy:.3f}, "
            f"version {made.versions[0]} alone {made.newest_accuracy:.3f}"
        )
