"""Do versions swap under load without a text lost, a text late, or memory that grows?

Learns four real versions of the packaged MiniLM (two encoders, each with two heads), starts a real
Kafka and `freshet serve` as a process, lets texts flow through it at an even rate, and announces
one version after the other, each as soon as the one before it answers; in a cycle of eight, six
swaps bring a head and two an encoder with it. Then it looks at every text and every answer:

- each text was answered, and each partition in its order (what comes twice counts once);
- each answer is by an announced version, never by an older one than the answer before it, and is
  what that version's files give when asked alone;
- the resident memory of the role, the median over 20 swaps, at the end beside that at swap 100;
- the gap at a swap: how long the slowest text waited for its answer of those that were in hand
  between the announcement and the first answer by the new version.

It ends early, with what it has, after `--minutes` or on Ctrl-C. Exit status 1 where a limit is
missed.

    python -m benchmarks.swap
    python -m benchmarks.swap --swaps 200 --rate 20
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.swaps.figures import CYCLE, Figures, Swap, figures_of
from benchmarks.swaps.flow import KEYS, Answers, Flow
from benchmarks.swaps.versions import answers, learned
from consumers.broker import MemoryBroker, open_broker
from consumers.demo.headlines import generate_questions
from consumers.processes import ProcessGroup, RoleProcess
from consumers.settings import Settings
from consumers.topics_admin import ensure_topics
from schemas.model_version import ModelVersion
from schemas.topics import TOPICS

POOL = 48
"""Different texts."""
REPORTED = 20
"""Swaps between two lines about memory."""
MOST_SECONDS_PER_SWAP = 600.0
SESSION_SECONDS = 60
"""A machine that is busy with other work must not cost the role its partitions."""


def main() -> None:
    """Swap, look at what came of it, and print figures for machines and for people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--swaps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=10.0, help="texts a second")
    parser.add_argument("--minutes", type=float, default=60.0, help="longest time to swap")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", action="store_true", help="on a broker in memory, not on Kafka")
    parser.add_argument("--keep", type=Path, help="folder for versions and logs, which stay there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = run(given.keep or Path(temporary), given)
    print(json.dumps({"benchmark": "swap", "load": os.getloadavg()[0], **asdict(figures)}))
    print("", *(figures.faults() or ["Every limit is kept."]), sep="\n")
    sys.exit(1 if figures.faults() else 0)


def run(folder: Path, given: argparse.Namespace) -> Figures:
    """The whole benchmark, with its own broker, role and store."""
    settings = Settings(
        prefix=f"swap-{uuid.uuid4().hex[:8]}-",
        store=str(folder / "store"),
        partitions=4,
        threads=1,
        device="cpu",
        memory_broker=given.memory,
    )
    versions = learned(settings, seed=given.seed)
    texts = [
        text for text, _ in zip(generate_questions(seed=given.seed), range(POOL), strict=False)
    ]
    expected = answers(settings, versions, texts)
    with MemoryBroker() if given.memory else open_broker(settings, folder=folder) as broker:
        settings = settings.model_copy(update={"bootstrap_servers": broker.bootstrap_servers})
        if isinstance(broker, MemoryBroker):
            broker.make_topics(settings.topic(topic.name) for topic in TOPICS)
        else:
            ensure_topics(settings)
        with _serving(settings, folder) as (role, group):
            flow, found = Flow(settings, texts=texts, rate=given.rate), Answers(settings)
            cast = _Cast(versions, flow, found, role, group)
            swaps = cast.swapped(given.swaps, seconds=60 * given.minutes)
            flow.stop()
            _await(found, len(flow.sent_at))
            flow.close()
            found.close()
    return figures_of(swaps, flow, found, expected)


@contextmanager
def _serving(settings: Settings, folder: Path) -> Iterator[tuple[RoleProcess, ProcessGroup]]:
    environment = {
        "FRESHET_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "FRESHET_MEMORY_BROKER": str(settings.memory_broker),
        "FRESHET_PREFIX": settings.prefix,
        "FRESHET_STORE": settings.store,
        "FRESHET_PARTITIONS": str(settings.partitions),
        "FRESHET_THREADS": str(settings.threads),
        "FRESHET_DEVICE": settings.device,
        "FRESHET_LOG_FORMAT": "json",
        "FRESHET_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
    }
    with ProcessGroup(logs=folder / "logs", environment=environment) as group:
        yield group.start("serve"), group


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who plays in it."""

    versions: Sequence[ModelVersion]
    flow: Flow
    found: Answers
    role: RoleProcess
    group: ProcessGroup

    def swapped(self, count: int, *, seconds: float) -> list[Swap]:
        """Announce a first version, let texts flow, then swap so many times, or for so long."""
        deadline = time.monotonic() + seconds
        self.flow.announce(self._numbered(0))
        self._until_it_listens()
        self.flow.start()
        self._until_answered(0)
        swaps: list[Swap] = []
        with suppress(KeyboardInterrupt):
            while len(swaps) < count and time.monotonic() < deadline:
                number = len(swaps) + 1
                announced_at = self.flow.announce(self._numbered(number))
                answers_at = self._until_answered(number)
                swaps.append(Swap(number, announced_at, answers_at, _resident(self.role)))
                if number % REPORTED == 0:
                    latest = [swap.resident_bytes / 2**20 for swap in swaps[-REPORTED:]]
                    mib = statistics.median(latest)
                    print(f"swap {number}: {mib:.0f} MiB", file=sys.stderr, flush=True)
        return swaps

    def _until_it_listens(self) -> None:
        deadline = time.monotonic() + MOST_SECONDS_PER_SWAP
        while len(self.found.probed) < len(KEYS):
            self.flow.probe()
            self.found.read(seconds=1.0)
            self.group.check()
            if time.monotonic() > deadline:
                sys.exit(f"the role answered nothing within {MOST_SECONDS_PER_SWAP:g} s")

    def _numbered(self, number: int) -> ModelVersion:
        held = self.versions[CYCLE[number % len(CYCLE)]]
        return held.model_copy(update={"version": number})

    def _until_answered(self, version: int) -> float:
        """When the first answer by the version was given."""
        deadline = time.monotonic() + MOST_SECONDS_PER_SWAP
        while time.monotonic() < deadline:
            for answer in self.found.read():
                if answer.version == version:
                    return answer.predicted_at.timestamp()
            self.group.check()
        sys.exit(f"version {version} did not answer within {MOST_SECONDS_PER_SWAP:g} s")


def _await(found: Answers, count: int) -> None:
    deadline = time.monotonic() + MOST_SECONDS_PER_SWAP
    while found.count < count and time.monotonic() < deadline:
        found.read()


def _resident(role: RoleProcess) -> int:
    status = Path(f"/proc/{role.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
