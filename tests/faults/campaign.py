"""Many rounds, one seed each: `make faults`."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.brokers import SingleNode, ThreeNodes
from tests.faults.injector import plans_of
from tests.faults.round import Outcome, Round
from tests.faults.schedule import SINGLE, Fault, Kind, timeline
from tests.faults.stage import Stage

FAULTS, SECONDS = 15, 30.0
"""Of one round: each kind once, two seconds apart, most lasting longer than that."""
CLUSTER_EVERY = 5
"""Of so many seeds one is played on three nodes."""
SLOW_SECONDS = 90.0
"""A recovery that takes longer is worth a look: it holds more than one timeout of a group."""


def on_three_nodes(seed: int) -> bool:
    """Whether the round of a seed is played on a cluster."""
    return seed % CLUSTER_EVERY == 0


def drawn(seed: int, *, seconds: float = SECONDS, faults: int = FAULTS) -> tuple[Fault, ...]:
    """The timeline of a seed."""
    if on_three_nodes(seed):
        kinds, nodes = tuple(Kind), ThreeNodes.nodes
    else:
        kinds, nodes = SINGLE, SingleNode.nodes
    return timeline(seed, seconds=seconds, faults=faults, kinds=kinds, nodes=nodes)


@dataclass(frozen=True, slots=True)
class Ground:
    """What all rounds of a campaign share."""

    folder: Path
    base_model: Path
    cache: Path
    """With the exported graph of the base model: no role pays for it."""

    @classmethod
    def prepared(cls, folder: Path) -> "Ground":
        """Write the tiny base model and export it, unless the folder has both."""
        base, cache = folder / "base-model" / "tiny", folder / "cache"
        if not cache.is_dir():
            _write_base(base, cache)
        return cls(folder, base, cache)


def _write_base(base: Path, cache: Path) -> None:
    from model.config import EncoderConfig  # here: torch takes its seconds
    from model.encoder import Encoder
    from model.onnx_export import load_template
    from tests.model.tiny import write_tiny_encoder

    write_tiny_encoder(base)
    config = EncoderConfig(base_model=str(base))
    load_template(Encoder.load(str(base), config=config, device="cpu"), cache)


def play(
    seeds: Iterable[int],
    ground: Ground,
    *,
    seconds: float = SECONDS,
    faults: int = FAULTS,
    say: Callable[[str], None] = lambda _line: None,
) -> Iterator[Outcome]:
    """Play the rounds of these seeds, those on a single node first.

    The folder of a round, with store and logs, stays where a guarantee did not hold, or where it
    took more than `SLOW_SECONDS` to recover.
    """
    ordered = sorted(seeds, key=on_three_nodes)
    for kind, chosen in (
        (SingleNode, [seed for seed in ordered if not on_three_nodes(seed)]),
        (ThreeNodes, [seed for seed in ordered if on_three_nodes(seed)]),
    ):
        if not chosen:
            continue
        with kind(ground.folder / kind.__name__.lower()) as brokers:
            for seed in chosen:
                timeline_of = drawn(seed, seconds=seconds, faults=faults)
                yield _played(seed, timeline_of, brokers, ground, say)


def _played(
    seed: int,
    faults: tuple[Fault, ...],
    brokers: SingleNode | ThreeNodes,
    ground: Ground,
    say: Callable[[str], None],
) -> Outcome:
    folder = ground.folder / f"round-{seed}"
    stage = Stage(
        brokers.bootstrap_servers,
        folder=folder,
        base_model=ground.base_model,
        cache=ground.cache,
        own=plans_of(faults, folder / "plans"),
        seed=seed,
        replication_factor=brokers.replication_factor,
    )
    try:
        outcome = Round(
            seed, faults=faults, stage=stage, brokers=brokers, folder=folder / "plans", say=say
        ).play()
    finally:
        stage.close()
    if not outcome.violations and (outcome.recovery_seconds or 0.0) <= SLOW_SECONDS:
        shutil.rmtree(folder)
    else:
        say(f"see {folder}")
    return outcome


def replay(outcome: Outcome) -> str:
    """What a failure says: the violations, the seed, the timeline, what happened."""
    lines = [f"seed {outcome.seed}: {len(outcome.violations)} violations"]
    lines += [f"  {violation}" for violation in outcome.violations]
    lines += [f"replay it with: make faults ROUNDS=1 SEED={outcome.seed}", "timeline:"]
    lines += [f"  {fault}" for fault in outcome.faults]
    lines += ["what happened:", *(f"  {line}" for line in outcome.story)]
    lines += [f"  ended by itself: {one}" for one in outcome.exits]
    return "\n".join(lines)
