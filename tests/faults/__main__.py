"""`python -m tests.faults [--rounds N] [--seed S]`: the campaign; see `make faults`."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from consumers.broker import LocalKafka
from model.config import EncoderConfig
from model.encoder import Encoder
from model.onnx_export import load_template
from tests.faults.round import Round, drawn, prepared
from tests.faults.stage import Stage
from tests.model.tiny import write_tiny_encoder


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="freshet-faults-"))
    base = write_tiny_encoder(folder / "base-model" / "tiny")
    cache = folder / "cache"
    load_template(
        Encoder.load(str(base), config=EncoderConfig(base_model=str(base)), device="cpu"), cache
    )
    failed = 0
    with LocalKafka(folder / "kafka") as broker:
        for number in range(given.rounds):
            seed = given.seed + number
            here = folder / f"round-{seed}"
            faults = drawn(seed, seconds=given.seconds, faults=given.faults)
            own = prepared(faults, here / "plans")
            stage = Stage(
                broker.bootstrap_servers, folder=here, base_model=base, cache=cache, own=own, seed=seed
            )
            try:
                outcome = Round(
                    seed, faults=faults, stage=stage, brokers={"0": broker},
                    folder=here / "plans", say=lambda line: print(line, flush=True),
                ).play()
            finally:
                stage.close()
            print(f"seed {seed}: recovery {outcome.recovery_seconds}, {dict(outcome.records)}, "
                  f"entries {outcome.entries} versions {outcome.versions} exits {outcome.exits}", flush=True)
            for violation in outcome.violations:
                print("  VIOLATION", violation, flush=True)
            failed += outcome.failed
            if not outcome.failed:
                shutil.rmtree(here / "store", ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
