"""Probes over HTTP, from a role that is well, one that is not, and one that is busy."""

import asyncio
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from consumers.health.condition import Condition
from consumers.health.endpoint import HealthEndpoint
from consumers.health.probes import Probes
from consumers.health.pulse import Pulse
from consumers.health.snapshot import Snapshot
from consumers.health.watchdog import Reading, Verdict, Work
from model.errors import ConfigError

PLACE = ("texts", 0)
WELL = Snapshot(
    "serve",
    state="running",
    assigned=True,
    partitions={PLACE: Reading(5, 8)},
    verdict=Verdict(still={PLACE: 2.0}),
    condition=Condition(tasks={"news": {"version": 3}}),
)


@contextmanager
def probed(snapshot: Snapshot, *, silent_seconds: float = 0.0) -> Iterator[int]:
    pulse = Pulse(limit_seconds=60, say=print)
    pulse._silent = silent_seconds
    probes = Probes(lambda: snapshot, pulse, limit_seconds=60)
    with HealthEndpoint(host="127.0.0.1", port=0, answers=probes.paths) as endpoint:
        yield endpoint.port


def get(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def both(snapshot: Snapshot, *, silent_seconds: float = 0.0) -> tuple[int, int, str]:
    with probed(snapshot, silent_seconds=silent_seconds) as port:
        live, _ = get(port, "/live")
        ready, body = get(port, "/ready")
        return live, ready, "; ".join(body["reasons"])


def test_a_role_that_is_well_is_alive_and_ready() -> None:
    assert both(WELL) == (200, 200, "")


def test_a_role_that_starts_is_alive_and_not_ready() -> None:
    assert both(Snapshot("train")) == (200, 503, "starting")


def test_a_role_without_an_assignment_is_not_ready() -> None:
    live, ready, why = both(replace(WELL, assigned=False))
    assert (live, ready) == (200, 503)
    assert "assigned no partitions" in why


def test_a_serve_role_that_waits_for_its_first_version_is_alive_and_not_ready() -> None:
    waits = replace(WELL, condition=Condition(not_ready="no version is loaded yet"))
    assert both(waits) == (200, 503, "no version is loaded yet")


def test_a_role_that_drains_is_alive_and_not_ready_even_if_something_stalled() -> None:
    stalled = Verdict(still={PLACE: 99.0}, stalled=(PLACE,))
    assert both(replace(WELL, state="draining", verdict=stalled)) == (200, 503, "draining")


def test_a_stalled_partition_and_silent_work_fail_liveness() -> None:
    stalled = Verdict(still={PLACE: 99.0}, stalled=(PLACE,), stalled_work="answers")
    live, ready, why = both(replace(WELL, verdict=stalled))
    assert (live, ready) == (503, 503)
    assert "texts/0 has records and has not moved for 99 s" in why
    assert "answers" in why


def test_an_event_loop_that_hangs_fails_liveness() -> None:
    live, ready, why = both(WELL, silent_seconds=61)
    assert (live, ready) == (503, 503)
    assert "event loop" in why


def test_the_status_says_where_each_partition_is_and_what_is_in_hand() -> None:
    busy = replace(WELL, work=Work("answers", time.monotonic() - 4), stalls={"seek": 1})
    with probed(busy) as port:
        code, status = get(port, "/status?verbose")
    assert code == 200
    assert status["role"] == "serve"
    assert status["state"] == "running"
    assert status["tasks"] == {"news": {"version": 3}}
    assert status["partitions"] == [
        {
            "topic": "texts",
            "partition": 0,
            "position": 5,
            "lag": 3,
            "seconds_since_moved": 2.0,
            "stalled": False,
        }
    ]
    assert status["work"]["what"] == "answers"
    assert 4 <= status["work"]["silent_seconds"] < 60
    assert status["stalls"] == {"seek": 1}


def test_another_path_is_not_found() -> None:
    with probed(WELL) as port:
        assert get(port, "/metrics") == (404, {"paths": ["/live", "/ready", "/status"]})


def test_it_answers_while_the_event_loop_is_busy() -> None:
    async def busy(port: int) -> int:
        answered = threading.Event()

        def ask() -> int:
            code, _ = get(port, "/live")
            answered.set()
            return code

        asking = asyncio.get_running_loop().run_in_executor(None, ask)
        assert answered.wait(20)  # the loop does not turn meanwhile
        return await asking

    with probed(WELL) as port:
        assert asyncio.run(busy(port)) == 200


def test_a_client_that_says_nothing_keeps_no_other_from_its_answer() -> None:
    with probed(WELL) as port, socket.create_connection(("127.0.0.1", port)):
        assert get(port, "/live")[0] == 200


def test_a_port_that_is_taken_is_a_clear_fault() -> None:
    with probed(WELL) as port, pytest.raises(ConfigError, match="FRESHET_HEALTH_PORT"):
        HealthEndpoint(host="127.0.0.1", port=port, answers={})
