"""`freshet pause` and `freshet resume`: whether the train role learns a task."""

from collections.abc import Sequence
from typing import Annotated

import typer

from consumers.options import Config, Servers, TaskArgument, Who, settings_of, tell_note
from consumers.task_command import give_command
from schemas.control import Action

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Whether the train role learns a task.",
)

Why = Annotated[str, typer.Option(help="The reason; `freshet status` shows that of a pause.")]


def run(arguments: Sequence[str]) -> None:
    """Run the command that these arguments name."""
    app(args=list(arguments), prog_name="freshet")


@app.command()
def pause(
    task: TaskArgument,
    *,
    why: Why,
    who: Who = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
) -> None:
    """Learn nothing of a task until it is resumed. A round in hand is ended first.

    Its windows go on closing and wait on their topic; what serves goes on serving. The committed
    offset of their partition stays at the oldest that waits, so that after a restart the windows
    of other tasks behind it are read again, which teaches nothing twice. Resume it before the
    retention of `training-windows` deletes what waits (30 days).
    """
    settings = settings_of(config=config, bootstrap_servers=bootstrap_servers)
    note = give_command(settings, Action.PAUSE, task, who=who, why=why)
    tell_note(note)
    typer.echo(
        f'{task}: paused; its windows wait until `freshet resume {task} --why "..."`, '
        "serving goes on"
    )


@app.command()
def resume(
    task: TaskArgument,
    *,
    why: Why,
    who: Who = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
) -> None:
    """Learn a paused task again, from the windows that wait."""
    settings = settings_of(config=config, bootstrap_servers=bootstrap_servers)
    note = give_command(settings, Action.RESUME, task, who=who, why=why)
    tell_note(note)
    typer.echo(f"{task}: resumed; what waits is learned now")
