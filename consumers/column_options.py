"""The column options of every command that reads a file of labeled texts."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

_SUFFIX = "_column"

_HELP = {
    "text": "Column of the texts.",
    "label": "Column of the labels.",
    "id": "Column of the ids; where it lacks, file name, line and text.",
    "task": "Column of the tasks.",
    "event_time": "Column of the times: ISO 8601 or epoch seconds; naive is UTC.",
    "source": "Column of the sources.",
}
_NAMES = {"event_time": "time"}
"""Options that are not called as the field is."""


def with_columns(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option a column, and hand them on as its argument `columns`."""

    @wraps(command)
    def run(**given: Any) -> None:
        from consumers.dataset_files import Columns  # noqa: PLC0415 - keeps `--help` quick

        names = {field: given.pop(_option(field)) for field in _HELP}
        command(columns=Columns(**names), **given)

    signature = inspect.signature(command)
    parameters = [
        parameter
        for held in signature.parameters.values()
        for parameter in (_parameters() if held.name == "columns" else [held])
    ]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


def _option(field: str) -> str:
    return f"{_NAMES.get(field, field)}{_SUFFIX}"


def _parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            _option(field),
            inspect.Parameter.KEYWORD_ONLY,
            default=field,
            annotation=Annotated[str, typer.Option(help=text)],
        )
        for field, text in _HELP.items()
    ]
