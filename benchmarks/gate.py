"""What does the gate let through? Its power and its false rejections, over one round and fifty.

Candidates are drawn, not trained: each differs from its parent on 10 % of all records and is truly
`d` points better or worse. The gate sees as many *new* and *old* judge records as it is given, and
over fifty rounds its pools live as they do in the loop: a fifth of *new* is fresh each round, what
leaves it joins *old*, of which a fixed random sample of at most 1,000 is kept. A rejected candidate
leaves the champion, and the next is `d` worse than that one again, so that the true loss of fifty
rounds is the number of promotions times `d`. No data and no model; about 25 s on one core.

    python benchmarks/gate.py
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.anchor import gives_way
from model.config import GateConfig, MonitorConfig
from model.gain import NOTHING, Gain
from model.gate import Against, Counts, verdict
from model.trial import goes_on, too_much_worse

DISCORDANT = 0.1
"""Share of records on which a candidate and its parent differ in being right."""
FIRST_ACCURACY = 0.85
MOST_OLD = 1000
SIZES = (40, 200, 500)
DIFFERENCES = (0.0, -0.005, -0.01, -0.02, -0.05, 0.01)
REPORT = Path(__file__).parent / "GATE.md"

Right = NDArray[np.bool_]


@dataclass(slots=True)
class Version:
    """A version as the gate sees it, and as it is in truth."""

    right: Right
    """(N,) on the judge records, oldest first."""
    accuracy: float
    """On all records that there are."""

    def kept(self, places: NDArray[np.intp]) -> "Version":
        """On some of the records."""
        return Version(self.right[places], self.accuracy)


@dataclass(frozen=True, slots=True)
class Chain:
    """What became of a chain of candidates."""

    promoted: float
    """Share of its rounds."""
    gained: float
    """True accuracy after the last round, less that before the first."""


def promoted_share(
    num_records: int, difference: float, *, trials: int, config: GateConfig
) -> float:
    """Over one round with as many new as old records: the share of candidates that pass."""
    rng = np.random.default_rng(7)
    draws = rng.multinomial(num_records, _shares(difference), size=(trials, 2))
    passed = 0
    for sides in draws:
        new, old = (
            Counts(num_records, round(FIRST_ACCURACY * num_records), int(gains), int(losses))
            for gains, losses, _ in sides
        )
        passed += verdict(new, old, config=config).outcome == "promote"
    return passed / trials


def taken_back_share(
    num_records: int, difference: float, *, trials: int, config: MonitorConfig
) -> float:
    """At the end of a trial of so many records, in windows of a fifth: the share that goes."""
    config = config.model_copy(update={"records": num_records})
    window = num_records // 5
    rng = np.random.default_rng(7)

    def goes() -> bool:
        gain, before = NOTHING, 0
        while goes_on(gain, gain.records, config, before=before):
            before = gain.records
            gained, lost, _ = rng.multinomial(window, _shares(difference)).tolist()
            gain += Gain(window, gained + lost, gained, lost)
        return too_much_worse(gain, gain.records, config) is not None

    return float(np.mean([goes() for _ in range(trials)]))


def _shares(difference: float) -> list[float]:
    """Of records that a candidate gains, that it loses, and of those on which both agree."""
    apart = max(DISCORDANT, abs(difference))
    return [(apart + difference) / 2, (apart - difference) / 2, 1 - apart]


def chain(
    num_records: int,
    difference: float,
    *,
    config: GateConfig,
    with_anchor: bool,
    seed: int,
    rounds: int = 50,
) -> Chain:
    """Send candidates through the gate, each `difference` better than what then serves."""
    rng = np.random.default_rng(seed)
    champion = Version(rng.random(2 * num_records) < FIRST_ACCURACY, FIRST_ACCURACY)
    keys = rng.random(2 * num_records)
    anchor, known, age, number, promotions = champion, np.ones(2 * num_records, bool), 0, 0, 0
    for turn in range(1, rounds + 1):
        fresh = max(1, num_records // 5)
        seen = rng.random(fresh) < champion.accuracy
        theirs = _other(seen, champion.accuracy, anchor.accuracy, rng)
        champion = replace(champion, right=np.concatenate([champion.right, seen]))
        anchor = replace(anchor, right=np.concatenate([anchor.right, theirs]))
        known = np.concatenate([known, np.ones(fresh, bool)])
        keys = np.concatenate([keys, rng.random(fresh)])
        places = _kept(keys, num_records)
        champion, anchor = champion.kept(places), anchor.kept(places)
        known, keys = known[places], keys[places]

        accuracy = float(np.clip(champion.accuracy + difference, 0.05, 0.98))
        right = _other(champion.right, champion.accuracy, accuracy, rng)
        beside = Against(number, _counts(anchor.right[known], right[known]))
        passed = verdict(
            _counts(champion.right[-num_records:], right[-num_records:]),
            _counts(champion.right[:-num_records], right[:-num_records]),
            config=config,
            anchor=beside if with_anchor else None,
        )
        if passed.outcome == "reject":
            continue
        promotions += 1
        champion = Version(right, accuracy)
        if gives_way(age, beside.counts, config):
            anchor, known, age, number = champion, np.ones(len(right), bool), 0, turn
        else:
            age += 1
    return Chain(promotions / rounds, champion.accuracy - FIRST_ACCURACY)


def chains(
    num_records: int, difference: float, *, count: int, config: GateConfig, with_anchor: bool
) -> Chain:
    """The mean of many chains."""
    held = [
        chain(num_records, difference, config=config, with_anchor=with_anchor, seed=seed)
        for seed in range(count)
    ]
    promoted = float(np.mean([one.promoted for one in held]))
    return Chain(promoted, float(np.mean([one.gained for one in held])))


def _counts(before: Right, after: Right) -> Counts:
    gains, losses = int(np.sum(after & ~before)), int(np.sum(before & ~after))
    return Counts(len(after), int(before.sum()), gains, losses)


def _other(right: Right, accuracy: float, other: float, rng: np.random.Generator) -> Right:
    """Another version, as accurate as told, which differs on a tenth of the records at least."""
    apart = max(DISCORDANT, abs(other - accuracy))
    lost, gained = (apart - other + accuracy) / 2, (apart + other - accuracy) / 2
    chance = rng.random(len(right))
    return np.where(right, chance >= lost / accuracy, chance < gained / (1 - accuracy))


def _kept(keys: NDArray[np.float64], num_new: int) -> NDArray[np.intp]:
    """Places of the records that stay: the newest, and of the others those of the lowest keys."""
    num_old = len(keys) - num_new
    old = np.sort(np.argsort(keys[:num_old])[:MOST_OLD])
    return np.concatenate([old, np.arange(num_old, len(keys))])


def lines(*, trials: int, count: int, config: GateConfig, watch: MonitorConfig) -> list[str]:
    """The report, as Markdown."""
    told = [
        "# What the gate lets through",
        "",
        "Simulated (`make bench-gate`). Each candidate differs from its parent on 10 % of records",
        "and is truly so many points better or worse; accuracy is 0.85 at the start, 0.98 at most.",
        f"Default limits: margins {config.margin_new:.2f}, significance {config.significance:.2f},",
        f"an anchor that stays for {config.anchor_versions} promotions.",
        *_table(
            f"One round: share promoted, {trials} candidates each",
            "new and old records, each",
            lambda size, d: f"{promoted_share(size, d, trials=trials, config=config):.2f}",
        ),
    ]

    def of_chains(size: int, difference: float, *, with_anchor: bool) -> str:
        one = chains(size, difference, count=count, config=config, with_anchor=with_anchor)
        return f"{one.promoted:.2f}, {100 * one.gained:+.1f}"

    for with_anchor, name in ((False, "without the anchor"), (True, "with the anchor")):
        title = f"Fifty rounds {name}: share promoted, and true points gained, {count} chains each"
        told += _table(title, "records", partial(of_chains, with_anchor=with_anchor))
    told += _table(
        f"The trial of a refreshed encoder: share taken back, {trials} each",
        "`monitor.records`, in five windows",
        lambda size, d: f"{taken_back_share(size, d, trials=trials, config=watch):.2f}",
    )
    return [*told, ""]


def _table(title: str, first: str, cell: Callable[[int, float], str]) -> list[str]:
    """A row a number of records, a column a true difference."""
    rows = (
        f"| {size} | " + " | ".join(cell(size, difference) for difference in DIFFERENCES) + " |"
        for size in SIZES
    )
    return [
        "",
        f"## {title}",
        "",
        f"| {first} |" + "".join(f" {100 * d:+.1f} |" for d in DIFFERENCES),
        "|---" * (len(DIFFERENCES) + 1) + "|",
        *rows,
    ]


def main() -> None:
    """Write the report and print it."""
    told = "\n".join(lines(trials=1000, count=60, config=GateConfig(), watch=MonitorConfig()))
    REPORT.write_text(told, encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main()
