"""How many labeled texts a second does one core validate and gather into windows?

Runs the real windows role (fetch, validate, accumulate, publish, commit) against a real Kafka, and
beside it a plain Faust agent that takes one record at a time and validates it with the same
schema. Each is a process of its own, pinned to the last core; the broker has the others.

    python -m benchmarks.ingest --records 600000
"""

import argparse
import asyncio
import json
import logging
import os
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from aiokafka import AIOKafkaProducer

from consumers.batches import PartitionBatch
from consumers.broker import open_broker
from consumers.guard import start_guarded, stop_guarded
from consumers.runner import run_role
from consumers.settings import Settings, child_environment
from consumers.telemetry import set_up_logging
from consumers.topics_admin import ensure_topics
from consumers.windows.agent import WindowsHandler
from schemas.labeled_text import LabeledText
from schemas.topics import LABELED_TEXTS

TARGET = 60_000
"""Validated records a second on one core."""
LABELS = ("rises", "falls", "stays")


class _Timed(WindowsHandler):
    """The windows role, timed from its first batch until it has taken all records."""

    def __init__(self, settings: Settings, records: int) -> None:
        super().__init__(settings)
        self._left = records
        self.meter = _Meter()

    async def batch(self, batch: PartitionBatch) -> None:
        self.meter.begin()
        await super().batch(batch)
        self._left -= len(batch.records)
        if self._left <= 0:
            self.meter.end()
            os.kill(os.getpid(), 15)  # drain, as an operator would


class _Meter:
    """Wall-clock and CPU seconds between two moments."""

    def __init__(self) -> None:
        self.wall, self.cpu = 0.0, 0.0
        self._running = False

    def begin(self) -> None:
        if not self._running:
            self._running = True
            self.wall, self.cpu = time.perf_counter(), _cpu_seconds()

    def end(self) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, _cpu_seconds() - self.cpu


def main() -> None:
    """Measure both and print figures for machines and for people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=600_000, help="records to read")
    parser.add_argument("--plain", type=int, default=60_000, help="records for the plain agent")
    parser.add_argument("--measure", choices=AGENTS, help=argparse.SUPPRESS)  # in the child
    given = parser.parse_args()
    if given.measure:
        _measure(given.measure, given.records)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        open_broker(Settings(), folder=Path(folder)) as broker,
    ):
        settings = Settings(
            bootstrap_servers=broker.bootstrap_servers, prefix=f"bench-{uuid.uuid4().hex[:8]}-"
        )
        ensure_topics(settings)
        asyncio.run(_produce(settings, given.records))
        plain = _measured("faust_per_record", settings, min(given.plain, given.records), folder)
        ours = _measured("windows_role", settings, given.records, folder)
    for name, figures in (("faust_per_record", plain), ("windows_role", ours)):
        print(json.dumps({"benchmark": "ingest", "agent": name, **figures}))
    ratio = ours["records_per_second"] / plain["records_per_second"]
    load = os.getloadavg()[0]
    print(
        json.dumps(
            {"benchmark": "ingest", "ratio": round(ratio, 2), "target": TARGET, "load": load}
        )
    )
    print(f"plain Faust agent  {plain['records_per_second']:>9,.0f} records/s")
    print(
        f"windows role       {ours['records_per_second']:>9,.0f} records/s  ({ratio:.1f} times), "
        f"{ours['records_per_cpu_second']:,.0f} per CPU second"
    )
    sys.exit(0 if ours["records_per_second"] >= TARGET else 1)


async def _produce(settings: Settings, records: int) -> None:
    """Whole batches, made here: `send` would cost 150 microseconds a record."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, max_batch_size=2**18, acks="all"
    )
    await producer.start()
    topic = settings.topic(LABELED_TEXTS.name)
    sent = []
    for first in range(0, records, 1000):
        batch = producer.create_batch()
        for number in range(first, min(first + 1000, records)):
            batch.append(key=None, value=_text(number), timestamp=None)
        partition = first // 1000 % settings.partitions
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)
    await producer.stop()


def _text(number: int) -> bytes:
    return LabeledText(
        id=f"n{number}",
        task=f"task-{number // 1000 % 4}",
        text=f"Quarter {number % 4 + 1}: the order book of plant {number} grew by a tenth",
        label=LABELS[number % 3],
    ).encode()


def _measured(agent: str, settings: Settings, records: int, folder: str) -> dict[str, float]:
    """Run one agent as a process of its own, which dies with this one."""
    environment = child_environment(
        {
            "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "FRESHET_PREFIX": settings.prefix,
        }
    )
    command = [sys.executable, __file__, "--measure", agent, "--records", str(records)]
    output = Path(folder) / f"{agent}.log"
    with output.open("wb") as file:
        child = start_guarded(command, output=file, environment=environment)
    try:
        status = child.wait(300)
    finally:
        stop_guarded(child, grace_seconds=0)
    told = output.read_text()
    if status != 0 or not told:
        sys.exit(f"{agent} ended with status {status}:\n{told}")
    wall, cpu = json.loads(told.splitlines()[-1])
    return {
        "records": records,
        "seconds": round(wall, 3),
        "records_per_second": round(records / wall),
        "records_per_cpu_second": round(records / cpu),
    }


def _measure(agent: str, records: int) -> None:
    """In the child: pin it to the last core, run the agent, print the seconds."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    set_up_logging(level="error", log_format="json")
    meter = AGENTS[agent](Settings(), records)
    print(json.dumps([meter.wall, meter.cpu]))


def _windows(settings: Settings, records: int) -> _Meter:
    handler = _Timed(settings, records)
    run_role(settings, role="windows", topics=[LABELED_TEXTS], handler=handler)
    return handler.meter


def _plain(settings: Settings, records: int) -> _Meter:
    """Faust as its manual shows it: one record at a time, acks and commits by Faust."""
    logging.disable(logging.ERROR)
    app = faust.App(
        f"{settings.prefix}plain",
        broker=f"kafka://{settings.bootstrap_servers}",
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=tempfile.mkdtemp(),
    )
    meter, done = _Meter(), asyncio.Event()

    async def validate(stream: Any) -> None:
        left = records
        async for value in stream:
            meter.begin()
            LabeledText.decode(value)
            left -= 1
            if left == 0:
                meter.end()
                done.set()

    async def run() -> None:
        topic = app.topic(settings.topic(LABELED_TEXTS.name), value_serializer="raw")
        app.agent(topic)(validate)
        starting = asyncio.create_task(app.start())
        await done.wait()
        await app.stop()
        starting.cancel()

    asyncio.run(run())
    return meter


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


AGENTS: dict[str, Callable[[Settings, int], _Meter]] = {
    "faust_per_record": _plain,
    "windows_role": _windows,
}


if __name__ == "__main__":
    main()
