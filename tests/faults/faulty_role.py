"""`python -m tests.faults.faulty_role ROLE ...`: `freshet ROLE ...` under the faults of a plan.

The plan is the file that FRESHET_FAULTS names (`tests.faults.plan`); without it this is the plain
role. `worker` is the worker process of a training role, which a faulty one starts by itself.
"""

import importlib
import sys
import time
from collections.abc import Callable

from consumers import __main__ as command_line
from model.errors import ConfigError
from tests.faults.clock_jump import into_clock
from tests.faults.firing import Armed, Passages
from tests.faults.plan import plan_path, read_plan
from tests.faults.points import WORKER, into_broker, into_serve, into_train, into_worker
from tests.faults.store_faults import into_store

PROGRAM = (sys.executable, "-m", "tests.faults.faulty_role")
"""In the place of `python -m consumers`; run it in the repository's root."""

Into = Callable[[Passages], None]

MODULES = {
    "windows": "consumers.windows.agent",
    "train": "consumers.training.agent",
    "serve": "consumers.inference.agent",
    "worker": WORKER,
}
POINTS: dict[str, tuple[Into, ...]] = {
    "windows": (into_broker,),
    "train": (into_broker, into_train),
    "serve": (into_broker, into_serve),
    "worker": (into_worker,),
}


def inject(role: str) -> None:
    """Import the modules of a role and put the faults of the plan into them."""
    path = plan_path()
    if path is None or role not in MODULES:
        return
    started = time.monotonic()
    plan = read_plan(path)
    importlib.import_module(MODULES[role])
    armed = Armed(path, started)
    passages = Passages(plan, path, armed)
    for into in POINTS[role]:
        into(passages)
    into_store(plan.store, path, armed)
    into_clock(plan.clocks, path, armed)


def main() -> None:
    """Run a role under its faults."""
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        inject(role)
    except ConfigError as error:
        sys.exit(f"faulty_role: {error}")
    if role == "worker":
        importlib.import_module(WORKER).main()
    else:
        command_line.main()


if __name__ == "__main__":
    main()
