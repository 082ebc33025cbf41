"""The command line of `freshet broker`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from consumers.broker.errors import BrokerError
from consumers.broker.local_kafka import LocalKafka, port_fault
from consumers.options import settings_of
from consumers.signals import sigterm_unwinds

DEFAULT_PORT = 9092
"""Where every command looks unless told otherwise."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def run(arguments: Sequence[str]) -> None:
    """Run the broker as these arguments ask."""
    app(args=list(arguments), prog_name="freshet broker")


@app.command()
def broker(
    *,
    folder: Annotated[
        Path, typer.Option(help="Folder for its data and its log, kept between runs.")
    ] = Path("freshet-broker"),
    port: Annotated[
        int,
        typer.Option(
            min=1,
            max=65535,
            help="Port on 127.0.0.1. The other commands look at 9092 unless "
            "KAFKA_BOOTSTRAP_SERVERS says otherwise.",
        ),
    ] = DEFAULT_PORT,
) -> None:
    """Run an Apache Kafka on this machine until Ctrl-C, for trying things on one machine.

    It is no broker for production: one node, one copy of each record, reached from this machine
    alone. Needs java (17 or later) and mvn, which fetches Kafka's jars the first time.
    """
    settings = settings_of()
    if fault := port_fault(port):
        raise BrokerError(f"port {port} cannot be used ({fault}); choose another with --port")
    with sigterm_unwinds(), LocalKafka(folder, port=port, cache=settings.cache) as kafka:
        typer.echo(f"{kafka.note}; Ctrl-C stops it")
        if port != DEFAULT_PORT:
            typer.echo(f"export KAFKA_BOOTSTRAP_SERVERS={kafka.bootstrap_servers}")
        kafka.await_end()
