"""A fault comes to pass once, at its passage, while it is armed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.firing import Armed, InjectedError, Passages, note
from tests.faults.plan import FaultPlan, Point, PointFault, StoreFault, armed_file, fired_file

POINT: Point = "after_upload_before_commit"


def passages(path: Path, *faults: PointFault) -> Passages:
    return Passages(FaultPlan(points=faults), path, Armed(path, time.monotonic()))


def raising(*, nth: int = 1, switched: bool = False) -> PointFault:
    return PointFault(name="fault", point=POINT, action="raise", nth=nth, switched=switched)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def test_it_fires_at_its_passage_and_never_again(path: Path) -> None:
    process = passages(path, raising(nth=3))
    process.passed(POINT)
    process.passed(POINT)
    with pytest.raises(InjectedError, match="after_upload_before_commit"):
        process.passed(POINT)
    process.passed(POINT)


def test_it_does_not_fire_again_in_the_process_that_starts_afterwards(path: Path) -> None:
    with pytest.raises(InjectedError):
        passages(path, raising()).passed(POINT)
    passages(path, raising()).passed(POINT)
    fired_file(path, "fault").unlink()
    with pytest.raises(InjectedError):
        passages(path, raising()).passed(POINT)


def test_other_points_do_not_count(path: Path) -> None:
    process = passages(path, raising())
    process.passed("during_swap")
    assert not fired_file(path, "fault").exists()


def test_a_switched_fault_counts_passages_while_its_switch_is_there(path: Path) -> None:
    process = passages(path, raising(nth=2, switched=True))
    process.passed(POINT)
    process.passed(POINT)
    armed_file(path, "fault").touch()
    process.passed(POINT)
    armed_file(path, "fault").unlink()
    process.passed(POINT)
    armed_file(path, "fault").touch()
    with pytest.raises(InjectedError):
        process.passed(POINT)


def test_a_slow_point_waits_and_lets_the_other_coroutines_go_on(path: Path) -> None:
    slow = PointFault(name="fault", point=POINT, action="slow", seconds=0.2)
    went_on = []

    async def other() -> None:
        await asyncio.sleep(0.01)
        went_on.append(time.monotonic())

    async def run() -> float:
        beside = asyncio.create_task(other())
        await passages(path, slow).passed_in_loop(POINT)
        await beside
        return time.monotonic()

    assert asyncio.run(run()) - went_on[0] > 0.1
    fired_file(path, "fault").unlink()
    start = time.monotonic()
    passages(path, slow).passed(POINT)
    assert time.monotonic() - start >= 0.2


def test_a_crash_is_kill_9_and_leaves_a_note_that_says_who_and_when(path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from tests.faults.test_firing import passages\n"
        "from tests.faults.plan import PointFault\n"
        f"fault = PointFault(name='fault', point={POINT!r}, action='crash')\n"
        f"passages(Path(sys.argv[1]), fault).passed({POINT!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=Path.cwd())
    assert process.wait(60) == -signal.SIGKILL
    noted = json.loads(fired_file(path, "fault").read_text())
    assert noted["pid"] == process.pid
    assert abs(time.time() - noted["time"]) < 60


def test_of_two_processes_at_one_point_one_is_hit(path: Path) -> None:
    assert note(path, "fault")
    assert not note(path, "fault")
    assert json.loads(fired_file(path, "fault").read_text())["pid"] == os.getpid()


def test_a_fault_lasts_from_its_beginning_to_its_end(path: Path) -> None:
    now = time.monotonic()
    fault = StoreFault(name="fault", kind="error", after_seconds=10, for_seconds=5)
    assert not Armed(path, now)(fault)
    assert Armed(path, now - 11)(fault)
    assert not Armed(path, now - 16)(fault)
    assert Armed(path, now - 16)(StoreFault(name="fault", kind="error", after_seconds=10))
