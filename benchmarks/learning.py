"""How well does it learn: the default plan and its parts against the field's methods?

Learns streams of real texts under each plan through the code of `freshet backtest`, as many at once
as there are cores: small fits gain more from a core each than from all of them in turn. Every run
is kept in benchmarks/learning.json, so that a call that was cut short goes on where it was; the
page benchmarks/LEARNING.md and its picture are drawn from all that is kept.

    python -m benchmarks.learning                                   # what is missing of seed 0
    python -m benchmarks.learning --streams yelp --plans default,joint --seeds 0,1,2
    python -m benchmarks.learning --page                            # only draw the page
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.learned.kept import keep, kept_outcomes
from benchmarks.learned.page import page
from benchmarks.learned.runs import AVALANCHE, JOINT, NO_LOG, Outcome, run_once
from benchmarks.learned.streams import STREAMS
from consumers.settings import load_settings

HERE = Path(__file__).parent
PAGE, PICTURE = HERE / "LEARNING.md", HERE / "learning.svg"
DATA = HERE.parent.parent / "shared" / "data"

PLANS = ("default", JOINT, "replay", "naive", "head")
PARTS = ("softmax", NO_LOG)
METHODS = ("derpp", "lwf", "ewc", "l2sp", "supcon", "fusion", "average", "lora", "last_layers")
STRATEGIES = ("avalanche-replay", "avalanche-ewc", "avalanche-lwf")
MORE_ON = {"sentiment": (*PARTS, *STRATEGIES), "clinc150": (*PARTS, *STRATEGIES, *METHODS)}
"""What runs too, by stream, unless plans are named: with all of it on all four, one seed would take
hours."""


def main() -> None:
    """Run what is missing, then draw the page."""
    given = _parser().parse_args()
    kept = {each.key: each for each in kept_outcomes()}
    wanted = [
        (stream, int(seed), plan)
        for seed in given.seeds.split(",")
        for stream in given.streams.split(",")
        for plan in (given.plans.split(",") if given.plans else _plans_of(stream))
    ]
    missing = [] if given.page else [key for key in wanted if given.again or key not in kept]
    began = time.monotonic()
    done = _run(missing, data=given.data, records=given.records, jobs=max(1, given.jobs))
    for number, each in enumerate(done, start=1):
        kept[each.key] = each
        keep(kept.values())
        print(
            f"{number}/{len(missing)} {each.stream} seed {each.seed} {each.plan}: "
            f"{each.average_accuracy:.3f}, {each.seconds:.0f} s "
            f"({(time.monotonic() - began) / 60:.0f} min in all)",
            flush=True,
        )
    outcomes = list(kept.values())
    PAGE.write_text(page(outcomes), encoding="utf-8")
    _draw(outcomes)


def _plans_of(stream: str) -> list[str]:
    asked = (*PLANS, *MORE_ON.get(stream, ()))
    return [plan for plan in asked if plan not in STRATEGIES or AVALANCHE.exists()]


def _run(
    missing: Sequence[tuple[str, int, str]], *, data: Path, records: int, jobs: int
) -> Iterator[Outcome]:
    """Each in a process of its own, so that its peak memory is its own; as they end.

    Raises:
        ExceptionGroup: of the runs that failed, once all others have ended.
    """
    settings = load_settings()
    settings = settings.model_copy(update={"threads": settings.threads or _cores() // jobs or 1})
    fresh = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, max_tasks_per_child=1) as pool:
        under_way = {
            pool.submit(
                run_once, *key, data=data, records=records, settings=settings, quiet=jobs > 1
            ): key
            for key in missing
        }
        faults: list[Exception] = []
        for each in as_completed(under_way):
            if fault := each.exception():
                faults.append(RuntimeError(f"{under_way[each]}: {fault!r}"))
            else:
                yield each.result()
    if faults:
        raise ExceptionGroup("some runs failed; those that ended are kept", faults)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _draw(outcomes: list[Outcome]) -> None:
    """Accuracy against compute, both beside joint training on the same stream and seed."""
    from consumers.plots import accuracy_against_compute  # noqa: PLC0415 - needs matplotlib

    joint = {each.key[:2]: each for each in outcomes if each.plan == JOINT}
    points: dict[str, list[tuple[float, float]]] = {}
    for each in outcomes:
        mark = joint.get(each.key[:2])
        if mark is not None:
            steps = each.sample_steps / mark.sample_steps
            gain = 100 * (each.average_accuracy - mark.average_accuracy)
            points.setdefault(each.plan, []).append((steps, gain))
    accuracy_against_compute(
        points,
        PICTURE,
        title="Accuracy against compute, one mark a stream and seed",
        x="sample-steps, of joint training's",
        y="average accuracy minus joint training's, points",
        shares=False,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", default=",".join(STREAMS))
    parser.add_argument("--plans", help="default: the main ones, and more on two of the streams")
    parser.add_argument("--jobs", type=int, default=_cores(), help="runs at once; default: cores")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--records", type=int, default=3000, help="training records a stream")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--again", action="store_true", help="run also what is kept")
    parser.add_argument("--page", action="store_true", help="run nothing, only draw")
    return parser


if __name__ == "__main__":
    main()
