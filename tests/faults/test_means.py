"""Roles under a bad store, a bad clock and a damaged version go on, and the books agree."""

from pathlib import Path

import pytest

from schemas.topics import TRAINING_WINDOWS
from tests.faults.faulty_role import PROGRAM
from tests.faults.plan import (
    ClockJump,
    FaultPlan,
    PointFault,
    StoreFault,
    armed_file,
    fired_file,
    write_plan,
)
from tests.faults.tampering import announced_files, damage
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded
from tests.integration.test_restarts import check_books
from tests.integration.texts import TASK, labeled, questions

pytestmark = pytest.mark.long

WINDOW = 40
DAY = 86_400.0


def plans(here: Installation) -> dict[str, Path]:
    """Where the plan of each role lies."""
    return {role: here.folder / role / "plan.json" for role in ("windows", "train", "serve")}


def environments(here: Installation) -> dict[str, dict[str, str]]:
    """A clock that jumps forth in one role and back in the others, a store that often fails."""
    # Not from the first: a worker whose store fails while it warms up is started anew.
    # Nor often: a round of ten operations is begun anew for each, after a pause that doubles.
    flaky = StoreFault(name="flaky", kind="error", rate=0.05, seed=3, switched=True)
    lost = StoreFault(name="lost", kind="lost", rate=0.03, seed=8, switched=True)
    full = StoreFault(name="full", kind="full", switched=True)
    # Time enough to damage a version between its entry and its announcement.
    wait = PointFault(
        name="wait", point="after_commit_before_publish", action="slow", seconds=10, switched=True
    )
    forth = ClockJump(name="forth", shift_seconds=DAY, switched=True)
    back = ClockJump(name="back", shift_seconds=-DAY, after_seconds=5)
    made = {
        "windows": FaultPlan(clocks=(forth,)),
        "train": FaultPlan(points=(wait,), store=(flaky, lost, full), clocks=(back,)),
        "serve": FaultPlan(store=(flaky,), clocks=(back,)),
    }
    return {role: write_plan(plans(here)[role], plan) for role, plan in made.items()}


def test_nothing_is_lost_and_nothing_damaged_is_served_under_a_bad_store_and_a_bad_clock(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    with here.roles(program=PROGRAM) as group:
        for role, environment in environments(here).items():
            group.start(role, environment=environment)
        here.await_serve()
        write(here, 0)
        ask(here, 0)
        until_learned(here, 1)
        until_answered(here, 1)

        # A version is damaged before it is announced: the one before it goes on.
        armed_file(plans(here)["train"], "wait").touch()
        write(here, 1)
        here.until(fired_file(plans(here)["train"], "wait").exists)
        damage(announced_files(Path(here.settings.store), TASK, 1)["head"], "flip")
        until_learned(here, 2)
        here.until(lambda: bool(here.logged("serve", "version_refused")))
        ask(here, 1)
        until_answered(here, 2)

        # Now the store fails now and then, too. Before, a retry would have announced version 0
        # again, which is a passage of the point as well.
        switches = [armed_file(plans(here)["train"], name) for name in ("flaky", "lost")]
        switches.append(armed_file(plans(here)["serve"], "flaky"))
        for switch in switches:
            switch.touch()

        # No room in the store: the window waits, and nothing is acknowledged.
        committed = here.committed("train", TRAINING_WINDOWS)
        armed_file(plans(here)["train"], "full").touch()
        write(here, 2)
        here.until(lambda: no_room(here))
        assert here.committed("train", TRAINING_WINDOWS) == committed
        armed_file(plans(here)["train"], "full").unlink()
        until_learned(here, 3)
        for switch in switches:
            switch.unlink()

        # The windows role's clock leaps a day: what is open closes, no record is lost.
        here.write([*encoded(labeled(WINDOW // 2, start=3 * WINDOW)), b"no JSON"])
        here.until(lambda: bool(here.dead_letters()))  # so the window before it is open
        armed_file(plans(here)["windows"], "forth").touch()
        here.until(lambda: here.labels_learned(TASK) == 3 * WINDOW + WINDOW // 2)
        armed_file(plans(here)["windows"], "forth").unlink()
        here.write(encoded(labeled(WINDOW, start=3 * WINDOW + WINDOW // 2)))
        here.until(lambda: here.labels_learned(TASK) == 4 * WINDOW + WINDOW // 2)
        here.until(lambda: served(here) == here.versions()[-1].version)
        ask(here, 2)
        until_answered(here, 3)
    check_books(here, records=4 * WINDOW + WINDOW // 2)
    answers = here.predictions()
    assert {answers[f"question-{n}"].version for n in range(10)} == {0}
    assert {answers[f"question-{n}"].version for n in range(10, 20)} == {0}
    assert {answers[f"question-{n}"].version for n in range(20, 30)} == {
        here.versions()[-1].version
    }
    assert {line["version"] for line in here.logged("serve", "version_refused")} == {1}
    for role, names in {"train": ("flaky", "full", "back"), "windows": ("forth",)}.items():
        assert all(fired_file(plans(here)[role], name).exists() for name in names)


def write(here: Installation, number: int) -> None:
    """Write the records of a window."""
    here.write(encoded(labeled(WINDOW, start=number * WINDOW)))


def ask(here: Installation, number: int) -> None:
    here.ask(questions(10, start=10 * number))


def until_learned(here: Installation, windows: int) -> None:
    here.until(lambda: here.labels_learned(TASK) == windows * WINDOW)


def until_answered(here: Installation, tens: int) -> None:
    here.until(lambda: len(here.predictions()) == 10 * tens)


def no_room(here: Installation) -> bool:
    retried = here.logged("train", "training_retried")
    return any("No space left on device" in line["reason"] for line in retried)


def served(here: Installation) -> int:
    """The version that the serve role has swapped to last."""
    return int(here.logged("serve", "version_swapped")[-1]["version"])
