"""A console whose tables are whole also where they go to a file or a pipe."""

from rich.console import Console

PLAIN_WIDTH = 160
"""Columns where there is no terminal: a file has no edge to wrap at."""


def opened_console(*, highlight: bool = True) -> Console:
    """The console of this process's output: as wide as its terminal, else as `PLAIN_WIDTH`."""
    console = Console(highlight=highlight)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console
