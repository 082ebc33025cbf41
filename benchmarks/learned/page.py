"""The page: for each stream a table of plans with paired intervals."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import sqrt
from statistics import fmean, stdev

from scipy import stats

from benchmarks.learned.runs import JOINT, Outcome

HEADING = """# How well it learns

Written by `make bench-learning` from `benchmarks/learning.json`; the picture is `learning.svg`.

Packaged MiniLM, {records} training records a stream, 2 epochs a fit. Average accuracy is the
mean over slices after the last; forgetting what slices lost since their best, in points. *Minus
default* compares answers to the same test records, with a 95 % interval over these and, from
two seeds on, one over seeds (t); it orders the plans. Plans of the loop hold out a tenth of
what they see; joint training and Avalanche learn all of it. `no_log`: the default plan with a
memory of 500 texts and no log. Seconds are of a core each, with other runs on the others.
"""

_COLUMNS = (
    "plan",
    "seeds",
    "average accuracy",
    "minus default",
    "forgetting",
    "sample-steps",
    "forward passes",
    "seconds",
    "peak GiB",
)


def page(outcomes: Sequence[Outcome]) -> str:
    """The whole page, as Markdown."""
    sizes = ", ".join(sorted({f"{each.records:,}" for each in outcomes}))
    parts = [HEADING.format(records=sizes)]
    for stream, held in _by(outcomes, lambda each: each.stream):
        parts.append(f"## {stream}\n\n{_table(held)}\n")
    return "\n".join(parts)


def difference(
    ours: Sequence[Outcome], theirs: Sequence[Outcome]
) -> tuple[float, float, float | None] | None:
    """Average accuracy of ours minus theirs over shared seeds, in points.

    Returns:
        The mean, half the 95 % interval over test records, and half the one over seeds; None where
        no seed is shared.
    """
    other = {each.seed: each for each in theirs}
    pairs = [(each, other[each.seed]) for each in ours if each.seed in other]
    if not pairs:
        return None
    means = [100 * (a.average_accuracy - b.average_accuracy) for a, b in pairs]
    variance = sum(_variance(a, b) for a, b in pairs) / len(pairs) ** 2
    over_seeds = None
    if len(pairs) > 1:
        quantile = float(stats.t.ppf(0.975, len(pairs) - 1))
        over_seeds = quantile * stdev(means) / sqrt(len(pairs))
    return fmean(means), 1.96 * 100 * sqrt(variance), over_seeds


def _variance(ours: Outcome, theirs: Outcome) -> float:
    """Of the difference of two average accuracies: slices weigh the same, records are paired.

    Slices with the very same answers share a test set, which says no more for being asked twice.
    """
    total = 0.0
    for (a, b), slices in Counter(zip(ours.right, theirs.right, strict=True)).items():
        pairs = [int(x) - int(y) for x, y in zip(a, b, strict=True)]
        mean = fmean(pairs)
        total += slices**2 * sum((pair - mean) ** 2 for pair in pairs) / len(pairs) ** 2
    return total / len(ours.right) ** 2


def _table(outcomes: Sequence[Outcome]) -> str:
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---|' * len(_COLUMNS)}",
    ]
    plans = dict(_by(outcomes, lambda each: each.plan))
    default = plans.get("default", [])
    ranked = sorted(plans, key=lambda name: (name == JOINT, -_beside(plans[name], default)))
    for name in ranked:
        held = plans[name]
        cells = [
            name,
            f"{len(held)}",
            _spread([each.average_accuracy for each in held]),
            "" if name == "default" else _told(difference(held, default)),
            f"{100 * _mean(held, 'forgetting'):.1f}",
            f"{_mean(held, 'sample_steps'):.0f}",
            f"{_mean(held, 'forward_passes'):.0f}",
            f"{_mean(held, 'seconds'):.0f}",
            f"{_mean(held, 'peak_memory_bytes') / 2**30:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _beside(held: Sequence[Outcome], default: Sequence[Outcome]) -> float:
    """Points above the default plan on the seeds of both; without any, the accuracy in points."""
    found = difference(held, default)
    return 100 * _mean(held, "average_accuracy") if found is None else found[0]


def _told(found: tuple[float, float, float | None] | None) -> str:
    if found is None:
        return "-"
    mean, over_records, over_seeds = found
    seeds = "" if over_seeds is None else f", seeds ± {over_seeds:.1f}"
    return f"{mean:+.1f} ± {over_records:.1f}{seeds}"


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def _mean(outcomes: Iterable[Outcome], figure: str) -> float:
    return fmean(float(getattr(each, figure)) for each in outcomes)


def _by(
    outcomes: Iterable[Outcome], key: Callable[[Outcome], str]
) -> list[tuple[str, list[Outcome]]]:
    return [(name, list(held)) for name, held in groupby(sorted(outcomes, key=key), key=key)]
