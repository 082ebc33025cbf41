"""One run: a stream, a seed, a plan; what it reached is kept, so that a later call goes on."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict
from rich.console import Console

from benchmarks.learned.streams import BenchStream, write_stream
from consumers.backtest.options import BacktestOptions
from consumers.backtest.preparation import prepare
from consumers.backtest.run import compared
from consumers.backtest.slicing import make_slices
from consumers.settings import Settings
from model.backtest.report import PlanReport

AVALANCHE = Path(".avalanche-venv/bin/python")
JOINT, NO_LOG = "joint", "no_log"
ABLATIONS: Mapping[str, Mapping[str, object]] = {
    "softmax": {"head": {"form": "softmax"}},
}
"""The default plan without one of its parts, beside `head` (no refresh) and `no_log`."""


class Outcome(BaseModel):
    """What a plan reached on a stream, and what it cost."""

    model_config = ConfigDict(frozen=True)

    stream: str
    seed: int
    plan: str
    records: int
    average_accuracy: float
    forgetting: float
    accuracy_matrix: list[list[float]]
    prequential: list[float | None]
    seconds: float
    sample_steps: int
    forward_passes: int
    peak_memory_bytes: int
    right: list[str]
    """For each slice a digit a test record: 1 where it is answered rightly at the end."""

    @property
    def key(self) -> tuple[str, int, str]:
        """What names it."""
        return self.stream, self.seed, self.plan


def run_once(
    stream: str,
    seed: int,
    plan: str,
    *,
    data: Path,
    records: int,
    settings: Settings,
    quiet: bool = False,
) -> Outcome:
    """Write the stream to a folder that is removed afterwards, and learn it."""
    console = Console(stderr=True, quiet=quiet)
    with tempfile.TemporaryDirectory(prefix="freshet-learning-") as held:
        folder = Path(held)
        # Features that a run beside it has kept would make its seconds too few.
        settings = settings.model_copy(update={"cache": folder / "cache"})
        made = write_stream(stream, folder, data, records=records, seed=seed)
        if plan.startswith("avalanche-"):
            report = _under_avalanche(
                plan.removeprefix("avalanche-"), made, folder, seed, threads=settings.threads
            )
        else:
            report = _backtest(plan, made, folder, settings, console)
    return Outcome(
        stream=stream,
        seed=seed,
        plan=plan,
        records=records,
        right=["".join(str(int(flag)) for flag in flags) for flags in report.test_right],
        **report.model_dump(include=set(Outcome.model_fields) & set(PlanReport.model_fields)),
    )


def _backtest(
    plan: str, made: BenchStream, folder: Path, settings: Settings, console: Console
) -> PlanReport:
    compare = () if plan == JOINT else ("default" if plan == NO_LOG else plan,)
    if plan in ABLATIONS:
        file = folder / f"{plan}.yaml"
        file.write_text(yaml.safe_dump(dict(ABLATIONS[plan])), encoding="utf-8")
        compare = (str(file),)
    options = BacktestOptions(
        slicing=made.slicing,
        window=made.window,
        compare=compare,
        joint=plan == JOINT,
        no_log=plan == NO_LOG,
    )
    report = compared(prepare(options, settings), settings, console)
    found = report.joint if plan == JOINT else next(iter(report.plans.values()))
    if found is None:
        msg = f"{plan}: the backtest reports nothing"
        raise RuntimeError(msg)
    return found


def _under_avalanche(
    strategy: str, made: BenchStream, folder: Path, seed: int, *, threads: int
) -> PlanReport:
    """Hand the same slices to a strategy in its own environment."""
    trains: list[str] = []
    tests: list[str] = []
    for number, each in enumerate(make_slices(made.slicing).slices):
        for part, texts, paths in (("train", each.train, trains), ("test", each.test, tests)):
            path = folder / f"{number:03d}.{part}.jsonl"
            path.write_bytes(b"".join(text.encode() + b"\n" for text in texts))
            paths.append(str(path))
    out = folder / "report.json"
    command = [str(AVALANCHE), "-m", "benchmarks.avalanche.strategies", strategy]
    command += ["--train", *trains, "--test", *tests, "--out", str(out)]
    command += ["--window", str(made.window), "--seed", str(seed)]
    capped = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    subprocess.run(command, check=True, env={**os.environ, **capped})
    return PlanReport.model_validate_json(out.read_bytes())
