"""A wall clock that jumps: the project sees it, and nothing that waits does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.plan import ClockJump, FaultPlan, armed_file, write_plan

PROGRAM = """
import json, sys, time, pathlib
from datetime import UTC, datetime
true_time, true_monotonic = time.time(), time.monotonic()
from tests.faults.faulty_role import inject
inject(sys.argv[1])
from consumers.settings import Settings
from consumers.windows.agent import WindowsHandler
from schemas.dead_letter import DeadLetter
handler = WindowsHandler(Settings())
now = handler._clock()
letter = DeadLetter(topic="t", partition=0, offset=0, key=None, value=None, reason="r", detail="",
                    dead_at=now)
json.dump({
    "time": time.time() - true_time,
    "now": now.timestamp() - true_time,
    "monotonic": time.monotonic() - true_monotonic,
    "plain": type(now) is datetime,
    "kept": DeadLetter.decode(letter.encode()) == letter,
}, sys.stdout)
"""


def under(plan: FaultPlan, tmp_path: Path, *, armed: str = "") -> Any:
    environment = write_plan(tmp_path / "plan.json", plan)
    if armed:
        armed_file(tmp_path / "plan.json", armed).touch()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "windows"],
        env={"PATH": "", **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_the_wall_clock_jumps_and_the_monotonic_one_does_not(tmp_path: Path) -> None:
    for shift in (86_400, -3_600):
        seen = under(FaultPlan(clocks=(ClockJump(name="leap", shift_seconds=shift),)), tmp_path)
        assert abs(seen["time"] - shift) < 60
        assert abs(seen["now"] - shift) < 60
        assert 0 <= seen["monotonic"] < 60
        assert seen["plain"]
        assert seen["kept"]


def test_a_jump_comes_at_its_moment_or_with_its_switch(tmp_path: Path) -> None:
    later = ClockJump(name="later", shift_seconds=3_600, after_seconds=3_000)
    switched = ClockJump(name="switched", shift_seconds=7_200, switched=True)
    plan = FaultPlan(clocks=(later, switched))
    assert abs(under(plan, tmp_path)["now"]) < 60
    assert abs(under(plan, tmp_path, armed="switched")["now"] - 7_200) < 60
