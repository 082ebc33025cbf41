"""Does the demo keep its promises: windows, refreshes, freshness, memory, time, and does it learn?

Runs `freshet demo` once, as a user would, and holds its report against the limits below. What the
demo prints goes to stderr. About 4 minutes on 2 cores; a broken limit is exit status 1.

    python -m benchmarks.demo
    python -m benchmarks.demo --data headlines.jsonl.gz
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from consumers.demo.report import DemoReport
from consumers.guard import start_guarded, stop_guarded

WINDOW_RECORDS = 200
LEAST_WINDOWS = 10
LEAST_REFRESHES = 2
MOST_SECONDS = 240.0
"""Of the generated stream; a file may be of any length."""
MOST_MEMORY_BYTES = 6 * 2**30
"""Of all processes together."""
MOST_FRESHNESS_SECONDS = 4.0
"""From a window's last record to the first answer by the version that learned it: the median over
increments, since a window may wait behind a refresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run is held to."""

    windows: int
    """Full ones."""
    increments: int
    refreshes: int
    """Rounds that refreshed the encoder, promoted or not."""
    promoted: int
    seconds: float
    peak_memory_bytes: int
    books_add_up: bool
    freshness_median_seconds: float | None
    """Over increments; None where no version of one has answered."""
    freshness_worst_seconds: float | None
    first_accuracy: dict[str, float]
    """Of the first promoted version of each task, on texts that no version saw."""
    last_accuracy: dict[str, float]


def main() -> None:
    """Run the demo and print figures for machines and for people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="labeled texts to stream; default: generated")
    given = parser.parse_args()
    report = run_demo(given.data)
    figures = figures_of(report)
    broken = broken_limits(figures, timed=given.data is None)
    stream = "generated" if given.data is None else given.data.name
    told = {"benchmark": "demo", "data": stream, **asdict(figures), "broken": broken}
    print(json.dumps({**told, "load": os.getloadavg()[0]}))
    print("\n".join(lines_of(figures)))
    for limit in broken:
        print(f"BROKEN: {limit}")
    sys.exit(1 if broken else 0)


def run_demo(data: Path | None) -> DemoReport:
    """Run the demo as a process of its own, which dies with this one."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.json"
        command = [sys.executable, "-m", "consumers", "demo"]
        command += ["--out", f"{folder}/out", "--report", f"{target}"]
        command += [] if data is None else ["--data", f"{data}"]
        demo = start_guarded(command, output=sys.stderr.buffer)
        try:
            status = demo.wait()
        finally:
            stop_guarded(demo, grace_seconds=30)
        if status != 0:
            sys.exit(f"the demo ended with status {status}")
        return DemoReport.model_validate_json(target.read_bytes())


def figures_of(report: DemoReport) -> Figures:
    """Draw the figures from the report of a run."""
    increments = [version for version in report.versions if version.kind == "increment"]
    fresh = [v.freshness_seconds for v in increments if v.freshness_seconds is not None]
    return Figures(
        windows=sum(window.records == WINDOW_RECORDS for window in report.windows),
        increments=len(increments),
        refreshes=sum(version.kind == "refresh" for version in report.versions),
        promoted=sum(version.decision == "promoted" for version in report.versions),
        seconds=report.seconds,
        peak_memory_bytes=report.peak_memory_bytes,
        books_add_up=report.records.add_up,
        freshness_median_seconds=statistics.median(fresh) if fresh else None,
        freshness_worst_seconds=max(fresh, default=None),
        first_accuracy={margin.task: margin.first_accuracy for margin in report.test_set},
        last_accuracy={margin.task: margin.last_accuracy for margin in report.test_set},
    )


def broken_limits(figures: Figures, *, timed: bool) -> list[str]:
    """Each limit that does not hold, in words; `timed` where the limit of time applies."""
    fresh, first = figures.freshness_median_seconds, figures.first_accuracy
    gained = [last > first[task] for task, last in figures.last_accuracy.items()]
    kept = {
        f"at least {LEAST_WINDOWS} windows of {WINDOW_RECORDS}": figures.windows >= LEAST_WINDOWS,
        f"at least {LEAST_REFRESHES} encoder refreshes": figures.refreshes >= LEAST_REFRESHES,
        f"within {MOST_SECONDS:.0f} s": not timed or figures.seconds <= MOST_SECONDS,
        f"within {MOST_MEMORY_BYTES / 2**30:.0f} GiB": (
            figures.peak_memory_bytes <= MOST_MEMORY_BYTES
        ),
        "every record is in exactly one place": figures.books_add_up,
        f"new versions answer within {MOST_FRESHNESS_SECONDS} s": (
            fresh is not None and fresh <= MOST_FRESHNESS_SECONDS
        ),
        "the last promoted version beats the first": bool(gained) and all(gained),
    }
    return [limit for limit, holds in kept.items() if not holds]


def lines_of(figures: Figures) -> list[str]:
    """The figures for people."""
    fresh, worst = figures.freshness_median_seconds, figures.freshness_worst_seconds
    return [
        f"windows    {figures.windows} of {WINDOW_RECORDS} records",
        f"increments {figures.increments}",
        f"refreshes  {figures.refreshes}",
        f"promoted   {figures.promoted} of both",
        f"time       {figures.seconds:.0f} s",
        f"memory     {figures.peak_memory_bytes / 2**30:.2f} GiB at most",
        f"books      {'add up' if figures.books_add_up else 'do not add up'}",
        "freshness  no version of an increment has answered"
        if fresh is None or worst is None
        else f"freshness  {fresh:.2f} s median over increments, {worst:.2f} s at worst",
        *(
            f"test set   {task}: first {figures.first_accuracy[task]:.3f}, "
            f"last {last:.3f}: {100 * (last - figures.first_accuracy[task]):+.1f} points"
            for task, last in figures.last_accuracy.items()
        ),
    ]


if __name__ == "__main__":
    main()
