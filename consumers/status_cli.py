"""`freshet status`: what goes on and what is wrong, at a glance or for a script."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from consumers.console import opened_console
from consumers.options import Config, Servers, Store, settings_of
from consumers.status.look import look
from consumers.status.table import drawn
from consumers.status.wrong import Limits

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def run(arguments: Sequence[str]) -> None:
    """Run the command that these arguments name."""
    app(args=list(arguments), prog_name="freshet status")


@app.command()
def status(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print it as one JSON object.")] = False,
    since: Annotated[
        float, typer.Option(min=0, help="Dead letters of so many hours count as wrong.")
    ] = 24.0,
    stalled_after: Annotated[
        float, typer.Option(min=0, help="Minutes that a window may wait to be learned.")
    ] = 15.0,
    rejected: Annotated[
        int, typer.Option(min=1, help="Rounds rejected in a row that count as wrong.")
    ] = 3,
    config: Config = None,
    bootstrap_servers: Servers = None,
    store: Store = None,
) -> None:
    """Show tasks, lag, what each role does, and what is wrong; status 1 where anything is.

    It looks at topics, consumer groups and the store, and asks no role: it works with all of them
    down.
    """
    settings = settings_of(config=config, bootstrap_servers=bootstrap_servers, store=store)
    now = datetime.now(UTC)
    found = look(
        settings,
        now=now,
        since=now - timedelta(hours=since),
        limits=Limits(stalled_after=timedelta(minutes=stalled_after), rejected_in_a_row=rejected),
    )
    if json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        opened_console(highlight=False).print(drawn(found), soft_wrap=False)
    raise typer.Exit(1 if found.wrong else 0)
