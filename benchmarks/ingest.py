"""How many labeled texts a second does one core validate and gather into windows?

Runs the real windows role (fetch, validate, accumulate, publish, commit) against a real Kafka, and
beside it a plain Faust agent that takes one record at a time and validates it with the same
schema. Each is a process of its own, pinned to the last core; the broker has the others.

    python -m benchmarks.ingest --records 400000
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
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

from consumers.app import PartitionBatch, run_role
from consumers.broker import open_broker
from consumers.settings import Settings
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


Target = Callable[[Settings, int], _Meter]


def main() -> None:
    """Measure both and print figures for machines and for people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=400_000, help="records to read")
    parser.add_argument("--plain", type=int, default=60_000, help="records for the plain agent")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_broker(Settings(), folder=Path(folder)) as broker,
    ):
        settings = Settings(
            bootstrap_servers=broker.bootstrap_servers, prefix=f"bench-{uuid.uuid4().hex[:8]}-"
        )
        ensure_topics(settings)
        asyncio.run(_produce(settings, given.records))
        plain = _measured(_plain, settings, min(given.plain, given.records))
        ours = _measured(_windows, settings, given.records)
    for name, figures in (("faust_per_record", plain), ("windows_role", ours)):
        print(json.dumps({"benchmark": "ingest", "agent": name, **figures}))
    ratio = ours["records_per_second"] / plain["records_per_second"]
    print(json.dumps({"benchmark": "ingest", "ratio": round(ratio, 2), "target": TARGET}))
    print(f"plain Faust agent  {plain['records_per_second']:>9,.0f} records/s")
    print(f"windows role       {ours['records_per_second']:>9,.0f} records/s  ({ratio:.1f} times)")
    sys.exit(0 if ours["records_per_second"] >= TARGET else 1)


async def _produce(settings: Settings, records: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, linger_ms=20, max_batch_size=2**19
    )
    await producer.start()
    topic = settings.topic(LABELED_TEXTS.name)
    for number in range(records):
        text = LabeledText(
            id=f"n{number}",
            task=f"task-{number // 1000 % 4}",
            text=f"Quarter {number % 4 + 1}: the order book of plant {number} grew by a tenth",
            label=LABELS[number % 3],
        )
        await producer.send(topic, text.encode(), partition=number // 1000 % settings.partitions)
    await producer.stop()


def _measured(target: Target, settings: Settings, records: int) -> dict[str, float]:
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_pinned, args=(target, settings, records, sender))
    process.start()
    if not receiver.poll(300):
        process.kill()
        sys.exit("no figure within 300 s")
    wall, cpu = receiver.recv()
    process.join()
    return {
        "records": records,
        "seconds": round(wall, 3),
        "records_per_second": round(records / wall),
        "records_per_cpu_second": round(records / cpu),
    }


def _pinned(target: Target, settings: Settings, records: int, sender: Any) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    set_up_logging(level="error", log_format="json")
    meter = target(settings, records)
    sender.send((meter.wall, meter.cpu))


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


if __name__ == "__main__":
    main()
