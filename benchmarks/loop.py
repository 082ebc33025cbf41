"""Does the loop learn what its backtest says: the same stream through Kafka and without it?

Streams one of `benchmarks.learned.streams` through `freshet demo`: a broker, every role as a
process, the gate, the swap. Then holds its last version against the default plan of the backtest on
the same records and the same test sets, as kept by `make bench-learning`, seed by seed.

    python -m benchmarks.loop --stream sentiment --seeds 0
"""

import argparse
import json
import math
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.learned.kept import kept_outcomes
from benchmarks.learned.runs import Outcome
from benchmarks.learned.streams import STREAMS, write_stream
from consumers.backtest.slicing import make_slices
from consumers.demo.plan import DemoOptions
from consumers.demo.report import DemoReport
from consumers.demo.run import run_demo
from consumers.settings import load_settings
from schemas.labeled_text import LabeledText

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One seed."""

    stream: str
    seed: int
    loop: float
    """Accuracy of the loop's last version on all test records."""
    backtest: float
    """The same of the default plan's backtest."""
    error: float
    """Standard error of a difference between two accuracies on so many records."""
    refreshes: int
    seconds: float
    books_add_up: bool

    @property
    def within(self) -> bool:
        """Whether the loop is no further from its backtest than twice the error."""
        return abs(self.loop - self.backtest) <= 2 * self.error


def main() -> None:
    """Run every seed and print figures for machines and for people."""
    given = _parser().parse_args()
    kept = {each.key: each for each in kept_outcomes()}
    found = [_measured(given, seed, kept) for seed in map(int, given.seeds.split(","))]
    for each in found:
        print(json.dumps({"benchmark": "loop", **asdict(each), "load": os.getloadavg()[0]}))
    for each in found:
        print(
            f"{each.stream}, seed {each.seed}: loop {each.loop:.3f}, backtest {each.backtest:.3f}, "
            f"standard error {each.error:.3f}: {'within' if each.within else 'BROKEN: beyond'} two"
        )
    sys.exit(0 if all(each.within and each.books_add_up for each in found) else 1)


def _measured(
    given: argparse.Namespace, seed: int, kept: dict[tuple[str, int, str], Outcome]
) -> Figures:
    beside = kept.get((given.stream, seed, "default"))
    if beside is None:
        sys.exit(
            f"no backtest of {given.stream}, seed {seed} is kept: first run python -m "
            f"benchmarks.learning --streams {given.stream} --plans default --seeds {seed}"
        )
    flags = "".join(beside.right)
    report = _streamed(given, seed, records=beside.records)
    backtest = flags.count("1") / len(flags)
    return Figures(
        stream=given.stream,
        seed=seed,
        loop=report.test_set[0].last_accuracy,
        backtest=backtest,
        error=math.sqrt(2 * backtest * (1 - backtest) / len(flags)),
        refreshes=sum(version.kind == "refresh" for version in report.versions),
        seconds=report.seconds,
        books_add_up=report.records.add_up,
    )


def _streamed(given: argparse.Namespace, seed: int, *, records: int) -> DemoReport:
    """Run the demo on the stream's records, in the very order of its backtest."""
    with tempfile.TemporaryDirectory(prefix="freshet-loop-") as held:
        folder = Path(held)
        made = write_stream(given.stream, folder, given.data, records=records, seed=seed)
        slices = make_slices(made.slicing).slices
        lines = [_line(text, "train") for each in slices for text in each.train]
        lines += [_line(text, "test") for each in slices for text in each.test]
        timed = (
            {**line, "event_time": (BEGINS + timedelta(minutes=number)).isoformat()}
            for number, line in enumerate(lines)
        )
        file = folder / "stream.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in timed), encoding="utf-8")
        options = DemoOptions(data=file, window_records=made.window, out=folder / "out")
        return run_demo(options, load_settings())


def _line(text: LabeledText, split: str) -> dict[str, str | None]:
    """A row of a file that is streamed in the order of its times."""
    return {
        "id": text.id,
        "task": text.task,
        "text": text.text,
        "label": text.label,
        "source": text.source,
        "split": split,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stream", choices=tuple(STREAMS), default="sentiment")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--data", type=Path, default=DATA)
    return parser


if __name__ == "__main__":
    main()
