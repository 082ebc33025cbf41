"""SIGTERM at a bad moment, each role under load: status 0, group left, nothing lost or twice."""

import json
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest

from consumers.processes import RoleProcess
from schemas.topics import PREDICTIONS, TRAINING_WINDOWS
from tests.groups import members
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded
from tests.integration.test_restarts import check_books
from tests.integration.texts import TASK, labeled, questions
from tests.waiting import becomes

WINDOW = 40
LIMIT_SECONDS = 60.0
"""The machine may be busy."""
SLOW = {
    "FRESHET_SHUTDOWN_SECONDS": str(LIMIT_SECONDS),
    # Whoever is out of the group right after its end has left it: no timeout came to help.
    "FRESHET_SESSION_TIMEOUT_SECONDS": "45",
}


def drained(here: Installation, role: RoleProcess) -> None:
    """End a role with SIGTERM: with status 0, in time, and out of its group at once."""
    name = role.name.split("-")[0]
    assert becomes(lambda: len(members(here.settings, name)) == 1, timeout_seconds=60)
    role.terminate()
    assert role.wait(timeout_seconds=LIMIT_SECONDS + 30) == 0, role.last_lines()
    assert members(here.settings, name) == []
    assert not here.logged(role.name, "shutdown_cut_short")


@pytest.mark.timeout(900)
def test_a_windows_role_ends_in_the_middle_of_windows_and_publishes_none_twice(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    tasks, count = ("left", "right"), 50 * WINDOW + 7
    with here.roles("windows", **SLOW) as group:
        for partition, task in enumerate(tasks):
            here.write(encoded(labeled(count, task=task)), partition=partition)
        here.until(lambda: len(here.windows()) >= 2)
        drained(here, group.roles["windows"])
        group.roles["windows"].start()
        here.until(lambda: len(here.windows()) == 2 * 50)
        drained(here, group.roles["windows"])
        here.read_on()
    assert len(here.records[TRAINING_WINDOWS.name]) == 2 * 50
    for task in tasks:
        spans = sorted((w.span.start, w.span.end) for w in here.windows() if w.task == task)
        assert spans == [(start, start + WINDOW) for start in range(0, 50 * WINDOW, WINDOW)]


@pytest.mark.timeout(900)
def test_a_training_role_ends_in_the_middle_of_a_round_and_learns_nothing_twice(
    install: Install,
) -> None:
    refresh = {"first_after_records": 100, "every_records": 10_000, "min_records_per_label": 5}
    here = install(records=WINDOW, defaults={"refresh": refresh, "max_windows_per_update": 1})
    with here.roles("windows", "train", **SLOW) as group:
        train = group.roles["train"]
        for round_, stage in enumerate(("encoding", "fitting")):
            here.write(encoded(labeled(3 * WINDOW, start=3 * WINDOW * round_)))
            here.until(lambda: stage in stages(here))  # noqa: B023 - called at once
            drained(here, train)
            train.start()
        here.until(lambda: here.labels_learned(TASK) == 6 * WINDOW)
        here.until(lambda: any(event.kind == "refresh" for event in here.evaluations()))
        drained(here, train)
    check_books(here, records=6 * WINDOW)
    assert not here.logged("train", "worker_died"), "the role ends its worker, no signal does"


def stages(here: Installation) -> set[str]:
    return {line["stage"] for line in here.logged("train", "training_progress")}


@pytest.mark.timeout(900)
def test_a_serve_role_ends_among_swaps_and_answers_and_answers_each_text_once(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    with here.roles("windows", "train", "serve", **SLOW) as group:
        serve = group.roles["serve"]
        here.write(encoded(labeled(WINDOW)))
        here.until(lambda: bool(here.versions()))
        here.await_serve()
        here.write(encoded(labeled(6 * WINDOW, start=WINDOW)))
        here.ask(questions(3000))
        here.until(lambda: bool(here.predictions()))
        drained(here, serve)
        here.ask(questions(500, start=3000), partition=1)
        serve.start()
        here.until(lambda: len(here.predictions()) == 3500)
        drained(here, serve)
        here.read_on()
    assert len(here.records[PREDICTIONS.name]) == 3500
    announced = {version.version for version in here.versions()}
    assert {answer.version for answer in here.predictions().values()} <= announced


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def probe(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, None


@pytest.mark.timeout(900)
def test_the_probes_follow_a_role_from_its_start_to_its_drain(
    install: Install,
) -> None:
    here, port = install(records=WINDOW), free_port()
    with here.roles("serve", **SLOW, FRESHET_HEALTH_PORT=str(port)) as group:
        # Alive, in its group, and without a version: not ready.
        here.await_serve()
        assert becomes(
            lambda: probe(port, "/ready")[1] == _not("no version is loaded yet"),
            timeout_seconds=60,
        )
        assert probe(port, "/live")[0] == 200
        for role in ("windows", "train"):
            group.start(role, environment={"FRESHET_HEALTH_PORT": "0"})
        here.write(encoded(labeled(WINDOW)))
        here.until(lambda: bool(here.logged("serve", "version_swapped")))
        assert becomes(lambda: probe(port, "/ready")[0] == 200, timeout_seconds=60)
        status = probe(port, "/status")[1]
        assert (status["role"], status["state"]) == ("serve", "running")
        assert status["tasks"] == {TASK: {"version": 0}}
        assert [part["partition"] for part in status["partitions"]] == [0, 1]
        group.roles["serve"].terminate()
        assert becomes(lambda: probe(port, "/ready")[0] != 200, timeout_seconds=10)
        assert group.roles["serve"].wait(timeout_seconds=LIMIT_SECONDS + 30) == 0


def _not(reason: str) -> dict[str, Any]:
    return {"ok": False, "reasons": [reason]}
