"""The summary at the end of a run: versions, books, margin on the test set, where things lie."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from consumers.demo import words
from consumers.demo.report import DemoReport, MarginReport, VersionReport

COLOURS = {"promoted": "green", "rejected": "yellow", "failed": "red"}

WIDE = 130
"""Characters in a line from which the table has a column a stage of an update too."""


def summary(report: DemoReport, *, places: Mapping[str, Path | str], width: int) -> RenderableType:
    """Everything a reader wants to know at the end, for a terminal of so many characters."""
    stages = words.STAGES if width >= WIDE else ()
    tasks = dict.fromkeys(version.task for version in report.versions)
    return Group(
        *(_versions(report, task, stages=stages) for task in tasks),
        _figures(report),
        Text(""),
        *(_margin(margin) for margin in report.test_set),
        Text("The test set is of the whole stream: what came late no early version had met."),
        Text(""),
        _places(places),
    )


def _versions(report: DemoReport, task: str, *, stages: Sequence[str]) -> RenderableType:
    """One table a task: with its name in every line, none would fit a terminal of 80."""
    table = Table(
        title=Text(f"Versions of {task}", style="bold"),
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    names = ("version", "kind", "preq.", "new holdout", "old holdout", "decision")
    for name in (*names, "fresh", *stages, "test"):
        table.add_column(name, no_wrap=True, justify="left" if name in names else "right")
    for version in report.versions:
        if version.task == task:
            table.add_row(*_version(version, stages=stages))
    return Group(table, Text(""))


def _version(version: VersionReport, *, stages: Sequence[str]) -> tuple[str, ...]:
    colour = COLOURS.get(version.decision, "default")
    seconds = version.seconds.model_dump()
    return (
        str(version.version),
        version.kind,
        words.accuracy(version.prequential_accuracy),
        words.pair(version.new.champion, version.new.candidate),
        words.pair(version.old.champion, version.old.candidate),
        f"[{colour}]{version.decision}[/]",
        words.seconds(version.freshness_seconds),
        *("" if seconds[name] is None else f"{seconds[name]:.1f}" for name in stages),
        words.accuracy(version.test_accuracy) if version.test_accuracy is not None else "",
    )


def _figures(report: DemoReport) -> Table:
    books, answers = report.records, report.predictions
    table = Table.grid(padding=(0, 2))
    balance = "" if books.add_up else "  (these do not add up: please report it)"
    table.add_row(
        "records",
        f"{books.produced} produced = {books.learned} learned + {books.held_out} held out"
        f" + {books.duplicates} duplicates + {books.dead_letters} dead letters"
        f" + {books.skipped} skipped + {books.open} open{balance}",
    )
    refreshes = sum(version.kind == "refresh" for version in report.versions)
    promoted = sum(version.decision == "promoted" for version in report.versions)
    table.add_row(
        "rounds",
        f"{len(report.windows)} windows, {len(report.versions) - refreshes} increments, "
        f"{refreshes} encoder refreshes, {promoted} versions promoted",
    )
    table.add_row(
        "texts",
        f"{answers.answered} of {answers.sent} answered by {len(answers.by_version)} versions",
    )
    table.add_row("memory", f"{report.peak_memory_bytes / 2**30:.2f} GiB at most, all processes")
    table.add_row("time", f"{report.seconds:.0f} s")
    table.add_row("broker", report.broker)
    return table


def _margin(margin: MarginReport) -> Text:
    return Text.assemble(
        f"{margin.task}: on {margin.records} texts that no version saw, version "
        f"{margin.last_version} gets {margin.last_accuracy:.3f} right, version "
        f"{margin.first_version} got {margin.first_accuracy:.3f}: ",
        (f"{100 * margin.margin:+.1f} points", "bold green" if margin.margin > 0 else "bold red"),
    )


def _places(places: Mapping[str, Path | str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, place in places.items():
        table.add_row(name, str(place))
    return table
