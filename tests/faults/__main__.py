"""`python -m tests.faults`: the campaign; see `make faults`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.faults.campaign import FAULTS, SECONDS, Ground, play, replay
from tests.faults.report import Books, write_report

ROUNDS_OF_A_PAGE = 10

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command()
def main(
    *,
    rounds: Annotated[int, typer.Option(help="How many.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the first round; each further has the next.")] = 1,
    faults: Annotated[int, typer.Option(help="In one round.")] = FAULTS,
    seconds: Annotated[
        float, typer.Option(help="Over which the faults of a round begin.")
    ] = SECONDS,
    folder: Annotated[Path | None, typer.Option(help="Of brokers, stores and logs.")] = None,
    report: Annotated[
        Path, typer.Option(help="Page of the result; a replay of few rounds writes none.")
    ] = Path("benchmarks/FAULTS.md"),
) -> None:
    """Play rounds of faults; status 1 where a guarantee did not hold."""
    ground = Ground.prepared(folder or Path(tempfile.mkdtemp(prefix="freshet-faults-")))
    typer.echo(f"{rounds} rounds from seed {seed} in {ground.folder}")
    books = Books()
    for outcome in play(
        range(seed, seed + rounds), ground, seconds=seconds, faults=faults, say=typer.echo
    ):
        books.add(outcome)
        typer.echo(replay(outcome) if outcome.violations else f"seed {outcome.seed}: held")
        typer.echo(f"came to pass: {', '.join(outcome.fired)}; recovery {outcome.recovery_words}")
        typer.echo(books.line)
        if books.rounds >= ROUNDS_OF_A_PAGE:
            write_report(report, books, first_seed=seed, faults=faults, seconds=seconds)
    raise typer.Exit(1 if books.violations else 0)


if __name__ == "__main__":
    app()
