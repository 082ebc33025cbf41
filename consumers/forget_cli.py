"""`freshet forget`: a record leaves what was learned, and is never learned again."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from consumers.options import (
    Config,
    Servers,
    Store,
    TaskArgument,
    say_progress,
    settings_of,
    with_training,
)
from model.denied import DenyList
from model.errors import ConfigError
from model.splits import text_hash

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def run(arguments: Sequence[str]) -> None:
    """Run the command that these arguments name."""
    app(args=list(arguments), prog_name="freshet forget")


@app.command()
def forget(
    task: TaskArgument,
    *,
    record_id: Annotated[
        str | None,
        typer.Option(
            "--id", help="Id of one record; without one of its own: TOPIC/PARTITION/OFFSET."
        ),
    ] = None,
    hashed: Annotated[
        str | None,
        typer.Option(
            "--text-hash", help="Every record of a text, under whatever id, by the text's hash."
        ),
    ] = None,
    text_file: Annotated[
        Path | None,
        typer.Option(help="The same by the text itself, UTF-8, in a file; - reads it from stdin."),
    ] = None,
    who: Annotated[str, typer.Option("--who", help="Who asks for it.")],
    why: Annotated[
        str,
        typer.Option(
            "--why",
            help="The reason, for the lineage and its events: name nothing to be forgotten.",
        ),
    ],
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh",
            help="Ask the train role for an encoder that was never tuned on it, if this one was; "
            "alone, on anything that was forgotten before.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what holds it.")
    ] = False,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Deny it also where nothing is known of it.")
    ] = False,
    config: Config = None,
    bootstrap_servers: Servers = None,
    store: Store = None,
) -> None:
    """Subtract a record from what was learned, and never learn it again.

    The new head equals one that was never taught the record, within rounding, and serves at once.
    Says which versions learned it, which encoders were tuned on it, and what still holds it.
    Needs the extra `train`.
    """
    denied = _denied(record_id, hashed, text_file, or_nothing=refresh)
    settings = settings_of(config=config, bootstrap_servers=bootstrap_servers, store=store)
    forgetting = with_training("consumers.forget", "forgetting")
    words = with_training("consumers.forget_words", "forgetting")
    done = forgetting.forget(
        settings,
        task,
        denied,
        who=who,
        why=why,
        unseen=unseen,
        dry_run=dry_run,
        refresh=refresh,
        progress=say_progress(),
    )
    for line in words.told(task, done, dry_run=dry_run, refresh=refresh, named=bool(denied)):
        typer.echo(line)
    if done.unasked is not None:
        raise typer.Exit(1)


def _denied(
    record_id: str | None, hashed: str | None, text_file: Path | None, *, or_nothing: bool
) -> DenyList:
    given = [option is not None for option in (record_id, hashed, text_file)]
    if or_nothing and not any(given):
        return DenyList()
    if sum(given) != 1:
        raise ConfigError("give one of --id, --text-hash and --text-file")
    if record_id is not None:
        return DenyList.of_id(record_id)
    return DenyList.of_text(hashed if hashed is not None else text_hash(_read(text_file)))


def _read(file: Path | None) -> str:
    try:
        if file is None or str(file) == "-":
            return sys.stdin.read()
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read a text from {file}: {error}") from error
