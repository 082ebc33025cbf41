"""Each named point fires on real roles where its name says, once, and nothing is lost by it."""

import json
import signal
from pathlib import Path

import pytest

from consumers.processes import RoleProcess
from schemas.topics import LABELED_TEXTS, TEXTS, TRAINING_WINDOWS
from tests.faults.faulty_role import PROGRAM
from tests.faults.plan import FaultPlan, Point, PointFault, fired_file, write_plan
from tests.integration.conftest import Install
from tests.integration.installation import PATIENCE_SECONDS, Installation, encoded
from tests.integration.test_restarts import check_books
from tests.integration.texts import TASK, labeled, questions

pytestmark = pytest.mark.long

WINDOW = 40


@pytest.fixture
def here(install: Install) -> Installation:
    return install(records=WINDOW)


def crash_at(here: Installation, *points: Point) -> dict[str, str]:
    """The environment of a process that is killed at the first passage of each point."""
    crashes = [PointFault(name=name_of(point), point=point, action="crash") for point in points]
    return write_plan(here.folder / "plan.json", FaultPlan(points=tuple(crashes)))


def name_of(point: Point) -> str:
    return point.replace("_", "-")


def fired_in(here: Installation, point: Point) -> int | None:
    """The process that was killed there, if one was."""
    file = fired_file(here.folder / "plan.json", name_of(point))
    return int(json.loads(file.read_text())["pid"]) if file.exists() else None


def await_kill(here: Installation, role: RoleProcess, *, at: Point) -> None:
    """Wait until the role is dead, by the fault and by nothing else."""
    here.until(lambda: role.exit_status is not None, alive=False)
    assert role.exit_status == -signal.SIGKILL, role.last_lines()
    assert fired_in(here, at) == role.pid
    here.read_on()


def entries(here: Installation) -> list[Path]:
    return sorted(Path(here.settings.store, "tasks", TASK).glob("lineage/*.json"))


def attempts(here: Installation) -> list[Path]:
    return sorted(Path(here.settings.store, "tasks", TASK).glob("attempts/*"))


def test_windows_that_dies_between_publishing_and_committing_loses_and_repeats_nothing(
    here: Installation,
) -> None:
    with here.roles("train", program=PROGRAM) as group:
        crash = crash_at(here, "after_publish_before_ack")
        windows = group.start("windows", environment=crash)
        here.write(encoded(labeled(WINDOW)))
        await_kill(here, windows, at="after_publish_before_ack")
        assert len(here.windows()) == 1
        assert here.committed("windows", LABELED_TEXTS) == 0
        windows.start()
        here.write(encoded(labeled(WINDOW, start=WINDOW)))
        here.until(lambda: here.labels_learned(TASK) == 2 * WINDOW)
    check_books(here, records=2 * WINDOW)


def test_train_that_dies_on_both_sides_of_the_announcement_teaches_and_announces_once(
    here: Installation,
) -> None:
    with here.roles("windows", program=PROGRAM) as group:
        crashes = crash_at(here, "after_commit_before_publish", "after_publish_before_ack")
        train = group.start("train", environment=crashes)
        here.write(encoded(labeled(WINDOW)))
        await_kill(here, train, at="after_commit_before_publish")
        assert len(entries(here)) == 1
        assert not here.evaluations()
        assert not here.versions()
        train.start()
        await_kill(here, train, at="after_publish_before_ack")
        assert here.labels_learned(TASK) == WINDOW
        assert here.versions()
        assert here.committed("train", TRAINING_WINDOWS) == 0
        train.start()
        here.write(encoded(labeled(WINDOW, start=WINDOW)))
        here.until(lambda: here.labels_learned(TASK) == 2 * WINDOW)
    check_books(here, records=2 * WINDOW)


def test_a_worker_that_dies_on_both_sides_of_the_entry_commits_the_round_once(
    here: Installation,
) -> None:
    points: tuple[Point, ...] = ("after_upload_before_commit", "after_commit_before_reply")
    with here.roles("windows", program=PROGRAM) as group:
        train = group.start("train", environment=crash_at(here, *points))
        here.write(encoded(labeled(WINDOW)))
        # Three workers are started, one after the other.
        here.until(lambda: here.labels_learned(TASK) == WINDOW, seconds=3 * PATIENCE_SECONDS / 2)
        assert train.running
        workers = [line["pid"] for line in here.logged("train", "worker_started")]
        assert workers[:2] == [fired_in(here, point) for point in points]
        assert len(workers) == 3
        retried = [line["reason"] for line in here.logged("train", "training_retried")]
        assert len(retried) == 2
        assert all("ended with status -9" in reason for reason in retried)
    assert len(entries(here)) == 1
    assert len(attempts(here)) == 2, "the first round's files are nobody's"
    check_books(here, records=WINDOW)


def test_serve_that_dies_between_publishing_and_committing_answers_again(
    here: Installation,
) -> None:
    with here.roles("windows", "train", program=PROGRAM) as group:
        serve = group.start("serve", environment=crash_at(here, "after_publish_before_ack"))
        here.await_serve()
        here.write(encoded(labeled(WINDOW)))
        here.ask(questions(10))
        await_kill(here, serve, at="after_publish_before_ack")
        assert len(here.predictions()) == 10
        assert here.committed("serve", TEXTS) == 0
        serve.start()
        here.ask(questions(10, start=10))
        here.until(lambda: len(here.predictions()) == 20)
    here.until(lambda: here.committed("serve", TEXTS) == 20)
    assert len(here.records["predictions"]) == 30


def test_serve_that_dies_with_a_loaded_version_in_hand_swaps_to_it_when_it_starts_again(
    here: Installation,
) -> None:
    with here.roles("windows", "train", program=PROGRAM) as group:
        serve = group.start("serve", environment=crash_at(here, "during_swap"))
        here.await_serve()
        here.write(encoded(labeled(WINDOW)))
        here.ask(questions(10))
        await_kill(here, serve, at="during_swap")
        assert here.versions()
        assert not here.logged("serve", "version_swapped")
        assert not here.predictions()
        serve.start()
        here.until(lambda: len(here.predictions()) == 10)
    assert here.logged("serve", "version_swapped")


def raise_then_wait(here: Installation, *points: Point) -> dict[str, str]:
    """At each point the first passage raises and the second takes its time."""
    raised = [PointFault(name=f"raise-{n}", point=p, action="raise") for n, p in enumerate(points)]
    slow = [
        PointFault(name=f"slow-{n}", point=p, action="slow", seconds=0.3, nth=2)
        for n, p in enumerate(points)
    ]
    path = here.folder / points[0] / "plan.json"
    return write_plan(path, FaultPlan(points=(*raised, *slow)))


def test_what_raises_or_is_slow_at_a_point_is_tried_again_and_ends_no_role(
    here: Installation,
) -> None:
    with here.roles(program=PROGRAM) as group:
        group.start("windows", environment=raise_then_wait(here, "after_publish_before_ack"))
        in_train: tuple[Point, ...] = (
            "after_upload_before_commit", "after_commit_before_reply",
            "after_commit_before_publish", "after_publish_before_ack",
        )  # fmt: skip
        group.start("train", environment=raise_then_wait(here, *in_train))
        in_serve: tuple[Point, ...] = ("during_swap", "after_publish_before_ack")
        group.start("serve", environment=raise_then_wait(here, *in_serve))
        here.await_serve()
        for number in range(4):
            here.write(encoded(labeled(WINDOW, start=number * WINDOW)))
            here.ask(questions(10, start=10 * number))
            here.until(lambda: here.labels_learned(TASK) == (number + 1) * WINDOW)  # noqa: B023
            here.until(lambda: len(here.predictions()) == 10 * (number + 1))  # noqa: B023
    check_books(here, records=4 * WINDOW)
    num_points = 1 + len(in_train) + len(in_serve)
    assert len(list(here.folder.glob("*/raise-*.fired"))) == num_points
    assert len(list(here.folder.glob("*/slow-*.fired"))) == num_points
