"""What the commands of the command line share: options, settings, and how errors end.

Nothing here loads a role or its libraries, so that `--help` stays quick.
"""

import importlib
import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from consumers.progress import SeldomTold
from model.errors import ConfigError, FreshetError

_OF_TRAINING = ("torch", "transformers", "safetensors", "onnx")
"""Some of what the extra `train` brings: where one lacks, all may."""

USAGE_STATUS = 2
INTERRUPTED_STATUS = 128 + signal.SIGINT

Config = Annotated[
    Path | None,
    typer.Option(
        help="YAML file with `defaults` and `tasks`: how each task learns. Default: none."
    ),
]
Servers = Annotated[
    str | None,
    typer.Option(
        help="Kafka brokers, host:port with commas between. Default: FRESHET_BOOTSTRAP_SERVERS, "
        "else KAFKA_BOOTSTRAP_SERVERS, else localhost:9092."
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        help="Where versions live: a folder, or s3://, gs://, az:// with a path. "
        "Default: freshet-store."
    ),
]
Task = Annotated[
    str | None,
    typer.Option(help="Task of every row. Default: the file's own column, else the file's name."),
]
TaskArgument = Annotated[str, typer.Argument(help="The task.")]
Who = Annotated[str | None, typer.Option(help="Who asks for it. Default: the user who runs this.")]
Seed = Annotated[int, typer.Option(help="Seed of every draw: same seed, same stream.")]


def settings_of(**given: Any) -> Any:
    """Load the settings; what is not None wins over the environment.

    Raises:
        ConfigError: a setting is wrong; all faults are named at once.
    """
    from consumers.settings import load_settings  # noqa: PLC0415 - keeps `--help` quick

    return load_settings(**{name: value for name, value in given.items() if value is not None})


def with_training(module: str, what: str) -> Any:
    """Import what needs torch, only when it is used; `what` is what needs it.

    Raises:
        ConfigError: the extra `train` is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{what} needs the extra `train` ({error})") from error


def require_training(what: str) -> None:
    """Refuse at once what starts processes that need torch; loads nothing.

    Raises:
        ConfigError: the extra `train` is not installed.
    """
    missing = [name for name in _OF_TRAINING if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{what} needs the extra `train` (not installed: {', '.join(missing)})")


def say_progress() -> SeldomTold:
    """What tells on stderr how far a command is."""
    return SeldomTold(lambda line: typer.echo(line, err=True))


def tell_note(note: str | None) -> None:
    """Say beside a command's answer, on stderr, what to mind; nothing where there is nothing."""
    if note is not None:
        typer.echo(note, err=True)


@contextmanager
def clean_errors() -> Iterator[None]:
    """Turn what can be expected to go wrong into a message and an exit status."""
    try:
        yield
    except ConfigError as error:
        typer.echo(f"freshet: {error}", err=True)
        raise typer.Exit(USAGE_STATUS) from error
    except FreshetError as error:
        typer.echo(f"freshet: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo("freshet: interrupted", err=True)
        raise typer.Exit(INTERRUPTED_STATUS) from error
