"""`freshet models`: what the lineages in the store say, a way back, and a way out."""

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from consumers.console import opened_console
from consumers.settings import load_settings
from consumers.version_figures import figures
from model.artifacts import ArtifactStore
from model.errors import ConfigError, NotFoundError, RejectError
from model.lineage import Lineage, LineageEntry, tasks_in
from schemas.evaluation import Comparison

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="What was learned, from what, and why it serves.",
)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", help="Where versions live. Default: FRESHET_STORE, else freshet-store."
    ),
]
TaskArgument = Annotated[str, typer.Argument(help="The task.")]
Json = Annotated[bool, typer.Option("--json", help="Print the lineage entries as JSON lines.")]


def run(arguments: Sequence[str]) -> None:
    """Run the command that these arguments name."""
    app(args=list(arguments), prog_name="freshet models")


class UnknownTaskError(RejectError):
    """The store has no lineage of such a task."""


@app.command("list")
def list_versions(
    task: Annotated[str | None, typer.Argument(help="Only this task.")] = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """List every round of every task: what came of it, and which version serves."""
    opened = _open(store)
    names = [task] if task else tasks_in(opened)
    if not names:
        typer.echo(f"no versions in {opened.uri} yet", err=True)
    for name in names:
        entries = _entries(opened, name)
        if json:
            for entry in entries:
                typer.echo(entry.model_dump_json())
        else:
            opened_console().print(_table(name, entries))


@app.command()
def show(
    task: TaskArgument,
    version: Annotated[
        int | None, typer.Argument(help="Sequence of the round. Default: what serves.")
    ] = None,
    store: StoreOption = None,
    *,
    json: Json = False,
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
    opened = _open(store)
    entry = _entry(opened, task, version)
    if plots is not None:
        # Only here: without --plots nothing needs matplotlib.
        pictures: Any = importlib.import_module("consumers.version_pictures")
        history = [held for held in _entries(opened, task) if held.sequence <= entry.sequence]
        for file in pictures.draw(history, plots, suffix=picture_format):
            typer.echo(file, err=True)
    if json:
        typer.echo(entry.model_dump_json(indent=2))
        return
    table = Table(title=f"{task}, round {entry.sequence}", show_header=False, title_justify="left")
    for name, value in _facts(entry):
        table.add_row(name, value)
    opened_console().print(table)


@app.command()
def diff(
    task: TaskArgument,
    first: Annotated[int, typer.Argument(help="Sequence of one round.")],
    second: Annotated[int, typer.Argument(help="Sequence of the other.")],
    store: StoreOption = None,
) -> None:
    """Show in what two rounds differ, and which records lie between them."""
    opened = _open(store)
    one, two = (_entry(opened, task, sequence) for sequence in (first, second))
    table = Table(title=f"{task}, rounds {first} and {second}", title_justify="left")
    for heading in ("", str(first), str(second)):
        table.add_column(heading)
    others = dict(_facts(two))
    for name, value in _facts(one):
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
    who: Annotated[str, typer.Option("--who", help="Who asks for it.")],
    why: Annotated[str, typer.Option("--why", help="The reason, for the lineage.")],
    config: Annotated[
        Path | None, typer.Option(help="YAML file with `defaults` and `tasks`. Default: none.")
    ] = None,
    bootstrap_servers: Annotated[
        str | None, typer.Option(help="Kafka brokers that learn of it at once.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Let an older version serve again; what was learned since is set apart and tried again.

    Needs the extra `train`.
    """
    given = {"config": config, "bootstrap_servers": bootstrap_servers, "store": store}
    settings = load_settings(**{name: held for name, held in given.items() if held is not None})
    rolling: Any = _with_training("consumers.rollback", "a rollback")
    entry, fault = rolling.roll_back(
        settings, task, version, who=who, why=why, progress=_say_progress
    )
    typer.echo(f"{task}: entry {entry.sequence} serves; {entry.evaluation.reason}")
    if fault is not None:
        typer.echo(
            f"not announced ({fault}); the train role announces it with its next round", err=True
        )


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
    store: StoreOption = None,
) -> None:
    """Write a version, or the last few as an ensemble, as one ONNX graph with its tokenizer.

    Needs the extra `train`.
    """
    settings = load_settings(**({} if store is None else {"store": store}))
    lineage, entry = Lineage(_open(store), task), _entry(_open(store), task, version)
    exporting: Any = _with_training("consumers.export", "an export")
    made = exporting.export(settings, lineage, entry, ensemble=ensemble, out=out)
    versions = ", ".join(map(str, made.versions))
    typer.echo(f"{task}: {out} holds version {versions}; torch and it differ by {made.parity:.1e}")
    if len(made.versions) > 1 and made.num_judged:
        typer.echo(
            f"accuracy on {made.num_judged} held-out records: ensemble {made.accuracy:.3f}, "
            f"version {made.versions[0]} alone {made.newest_accuracy:.3f}"
        )


def _with_training(module: str, what: str) -> Any:
    """Import what needs torch, only when it is used."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{what} needs the extra `train` ({error})") from error


def _say_progress(stage: str, /, **fields: Any) -> None:
    typer.echo(f"{stage} {fields}", err=True)


def _open(store: str | None) -> ArtifactStore:
    overrides = {} if store is None else {"store": store}
    return ArtifactStore(load_settings(**overrides).store)


def _entries(store: ArtifactStore, task: str) -> list[LineageEntry]:
    lineage = Lineage(store, task)
    entries = [lineage.entry(sequence) for sequence in lineage.sequences()]
    if not entries:
        known = ", ".join(tasks_in(store)) or "none"
        msg = f"no lineage of task {task!r} in {store.uri}; it has: {known}"
        raise UnknownTaskError(msg)
    return entries


def _entry(store: ArtifactStore, task: str, sequence: int | None) -> LineageEntry:
    if sequence is not None:
        try:
            return Lineage(store, task).entry(sequence)
        except NotFoundError as error:
            msg = f"task {task!r} has no round {sequence} in {store.uri}; see `freshet models list`"
            raise UnknownTaskError(msg) from error
    entries = _entries(store, task)
    serving = entries[-1].serving
    return entries[-1] if serving is None else next(e for e in entries if e.sequence == serving)


def _table(task: str, entries: Iterable[LineageEntry]) -> Table:
    held = list(entries)
    table = Table(title=task, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("round", "kind", "outcome", "records", "preq.", "new", "old"):
        table.add_column(heading, no_wrap=True)
    for entry in held:
        found = entry.evaluation
        serves = " *" if entry.sequence == held[-1].serving else ""
        table.add_row(
            f"{entry.sequence}{serves}",
            entry.kind,
            entry.outcome.value,
            str(found.counts.learned + found.counts.held_out),
            _share(found.prequential_accuracy),
            _compared(found.new, counted=False),
            _compared(found.old, counted=False),
        )
    table.caption = (
        "* serves; preq.: the champion on the window before it was learned; "
        "new, old: held-out accuracy, champion > candidate"
    )
    return table


def _facts(entry: LineageEntry) -> list[tuple[str, str]]:
    found, encoder = entry.evaluation, entry.encoder
    return [
        ("kind", entry.kind),
        ("outcome", entry.outcome.value),
        ("reason", found.reason),
        ("champion before", _number(found.champion)),
        ("serves after", _number(entry.serving)),
        ("learned from", "\n".join(map(str, entry.spans)) or "-"),
        ("read again", "\n".join(map(str, entry.refresh_reads)) or "-"),
        ("trained through", "\n".join(f"{k}: {v}" for k, v in entry.trained_through.items())),
        ("records", ", ".join(f"{k} {v}" for k, v in found.counts.model_dump().items())),
        ("prequential", _share(found.prequential_accuracy)),
        ("new", _compared(found.new)),
        ("old", _compared(found.old)),
        *figures(found),
        ("labels", ", ".join(entry.labels)),
        ("metrics", ", ".join(f"{k} {v:.4g}" for k, v in sorted(found.metrics.items())) or "-"),
        ("seconds", ", ".join(f"{k} {v:.2f}" for k, v in found.seconds.items())),
        ("encoder", encoder.digest if encoder else "-"),
        ("head", entry.version.head.sha256 if entry.version else "-"),
        ("set apart", ", ".join(map(str, entry.set_apart)) or "-"),
        ("attempt", entry.attempt),
        ("seed", str(entry.seed)),
        ("committed at", entry.created_at.isoformat()),
    ]


def _number(sequence: int | None) -> str:
    return "-" if sequence is None else str(sequence)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _compared(found: Comparison, *, counted: bool = True) -> str:
    if not found.num_records:
        return "-"
    pair = f"{_share(found.champion)} > {_share(found.candidate)}"
    return f"{pair} ({found.num_records})" if counted else pair
