"""How fast is a fit: our loop beside transformers' Trainer, on the same records.

Full fine-tuning of the packaged MiniLM with mean pooling and a softmax head, the same module for
all three, on the same records and for as many epochs, AdamW with a linear decay:

    ours          `model.fit` as a refresh runs it
    trainer       Trainer as it comes, with batches of 16: float32, batches in random order, the
                  dropout of the base model, no warm-up, one learning rate for encoder and head
    trainer-best  Trainer at its best: bfloat16 where it pays, batches of like lengths,
                  no dropout, the fused AdamW; warm-up, weight decay and a learning rate for the
                  head as ours (through Trainer's `optimizers`), so that it learns as well

Trainer's `torch_compile` is left out: every batch has another length, and one compilation costs
more than such a fit. Its loader has no workers: the records are in memory as token ids.

Each run is a process of its own, which fits a few records first, so that neither imports nor first
calls count; tokenizing does. The repeats take turns, each with a seed of its own, and the ratio is
the median over turns, so that a slow minute of the machine meets all three. Accuracy is that of the
softmax head on records that none has seen. Exit status 1 where a limit is missed.

    python -m benchmarks.fit
    python -m benchmarks.fit --data headlines.jsonl.gz --records 1200 --repeats 5
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

FITS = ("ours", "trainer", "trainer-best")
LEAST_RATIO = {"trainer": 2.0, "trainer-best": 1.3}
"""Our samples a second over Trainer's."""
LEAST_SPREAD = 0.01
"""Accuracies closer than this are equal, however close the seeds lie."""
MOST_SECONDS = 3600
"""A single fit that takes longer hangs."""

Figures = Mapping[str, float]
Turn = Mapping[str, Figures]


def main() -> None:
    """Run the fits, print a table of them, and say which limits are missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="labeled texts, JSON lines; default: generated")
    parser.add_argument("--records", type=int, default=600, help="records of a fit")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    turns = [one_turn(turn, given) for turn in range(given.repeats)]
    print(table(turns))
    faults = missed(turns)
    print("", *(faults or ["Every limit is kept."]), sep="\n")
    sys.exit(1 if faults else 0)


def one_turn(turn: int, given: argparse.Namespace) -> Turn:
    """Every fit once, each in a process of its own, a different one first each time."""
    command = [sys.executable, "-m", "benchmarks.one_fit", "--records", str(given.records)]
    command += ["--data", str(given.data)] if given.data else []
    figures = {}
    for place in range(len(FITS)):
        name = FITS[(turn + place) % len(FITS)]
        _say(f"turn {turn + 1} of {given.repeats}: {name}")
        done = subprocess.run(
            [*command, "--fit", name, "--seed", str(given.seed + turn)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=MOST_SECONDS,
        )
        figures[name] = json.loads(done.stdout.splitlines()[-1])
        _say(", ".join(f"{key} {value:.3f}" for key, value in figures[name].items()))
    return figures


def table(turns: Sequence[Turn]) -> str:
    """The medians over turns, and how far the accuracies of the seeds lie apart."""
    lines = [
        "| fit | samples/s | per CPU second | ours over it | limit | accuracy (seeds) |",
        "|---|---|---|---|---|---|",
    ]
    for name in FITS:
        seen = [turn[name]["accuracy"] for turn in turns]
        ratio = f"{_ratio(turns, name):.2f}" if name in LEAST_RATIO else ""
        lines.append(
            f"| {name} | {_median(turns, name, 'samples_per_second'):.1f} "
            f"| {_median(turns, name, 'samples_per_cpu_second'):.1f} "
            f"| {ratio} | {LEAST_RATIO.get(name, '')} "
            f"| {statistics.median(seen):.3f} ({min(seen):.3f}-{max(seen):.3f}) |"
        )
    return "\n".join(lines)


def missed(turns: Sequence[Turn]) -> list[str]:
    """The limits that are missed, in words."""
    faults = [
        f"{ratio:.2f} times {name}, less than {least}"
        for name, least in LEAST_RATIO.items()
        if (ratio := _ratio(turns, name)) < least
    ]
    seen = {name: [turn[name]["accuracy"] for turn in turns] for name in FITS}
    spread = max(LEAST_SPREAD, *(max(each) - min(each) for each in seen.values()))
    ours, better = (
        statistics.median(seen["ours"]),
        max(statistics.median(seen[name]) for name in LEAST_RATIO),
    )
    if ours < better - spread:
        faults.append(f"accuracy {ours:.3f}, below Trainer's {better:.3f} by over {spread:.3f}")
    return faults


def _ratio(turns: Sequence[Turn], name: str) -> float:
    key = "samples_per_second"
    return statistics.median(turn["ours"][key] / turn[name][key] for turn in turns)


def _median(turns: Sequence[Turn], name: str, key: str) -> float:
    return statistics.median(turn[name][key] for turn in turns)


def _say(words: str) -> None:
    print(time.strftime("%H:%M:%S"), words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
