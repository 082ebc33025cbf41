"""Roles as child processes. The roles here are one-line programs."""

import os
import sys
from pathlib import Path

import pytest

from consumers.processes import ProcessGroup, RoleFailedError, RoleProcess
from model.errors import StopError
from tests.waiting import becomes, ends

# Says what it is, waits, and tells of its end in one common file.
ROLE = """
import os, signal, sys
def leave(*_):
    with open(os.environ["ENDS"], "a") as file:
        file.write(sys.argv[1] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", sys.argv[1], os.environ["GREETING"], flush=True)
if sys.argv[1] == "faulty":
    sys.exit("no broker there")
while True:
    signal.pause()
"""


@pytest.fixture
def group(tmp_path: Path) -> ProcessGroup:
    return ProcessGroup(
        logs=tmp_path / "logs",
        environment={"GREETING": "hello", "ENDS": str(tmp_path / "ends")},
        stop_order=("windows", "train"),
        grace_seconds=10,
        program=(sys.executable, "-c", ROLE),
    )


def up(role: RoleProcess) -> bool:
    return becomes(lambda: "up" in role.last_lines())


def test_a_role_gets_the_environment_and_writes_to_its_log(group: ProcessGroup) -> None:
    with group:
        role = group.start("windows")
        assert up(role)
        assert role.log.name == "windows.log"
        assert role.last_lines() == "up windows hello"


def test_roles_stop_in_the_order_given_and_leave_nothing(
    group: ProcessGroup, tmp_path: Path
) -> None:
    with group:
        roles = [group.start(name) for name in ("serve", "train", "windows")]
        assert all(up(role) for role in roles)
        assert group.stop_all() == {"windows": 0, "train": 0, "serve": 0}
    assert (tmp_path / "ends").read_text() == "windows train serve "
    assert all(ends(role.pid, timeout_seconds=0) for role in roles if role.pid)


def test_a_role_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(
    group: ProcessGroup,
) -> None:
    with group:
        role = group.start("windows")
        assert role.pid is not None
        assert os.getsid(role.pid) == role.pid != os.getsid(0)


def test_a_role_that_died_is_noticed_with_its_status_and_last_words(group: ProcessGroup) -> None:
    with group:
        group.start("windows")
        group.check()
        faulty = group.start("faulty")
        assert faulty.wait(timeout_seconds=10) == 1
        assert group.ended() == [faulty]
        with pytest.raises(RoleFailedError, match=r"(?s)faulty ended with status 1.*no broker"):
            group.check()


def test_a_killed_role_can_be_started_again(group: ProcessGroup) -> None:
    with group:
        role = group.start("windows")
        first = role.pid
        role.kill()
        assert role.exit_status == -9
        assert role.start().running
        assert role.pid != first


def test_a_name_runs_once_at_a_time(group: ProcessGroup) -> None:
    with group:
        group.start("windows")
        group.start("windows", name="windows-2")
        with pytest.raises(StopError, match="windows runs already"):
            group.start("windows")


def test_an_error_in_the_body_stops_the_roles_too(group: ProcessGroup) -> None:
    def body() -> None:
        with group:
            group.start("windows")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        body()
    assert not group.roles["windows"].running
