"""A partition that stands still: noticed, healed at each step, nothing lost and nothing twice."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.processes import ProcessGroup, RoleProcess
from schemas.topics import LABELED_TEXTS
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded, environment_of
from tests.integration.test_restarts import check_books
from tests.integration.texts import TASK, labeled

WINDOW = 40
STALL_SECONDS = 10.0
STATUS_OF_A_STALL = 1


@contextmanager
def stalled(here: Installation, cure: str, role: str = "windows") -> Iterator[RoleProcess]:
    """A role that stops reading partition 0 after it has read some of it."""
    group = ProcessGroup(
        logs=here.folder / "logs",
        environment={
            **environment_of(here.settings),
            "FRESHET_STALL_SECONDS": str(STALL_SECONDS),
            "FRESHET_SHUTDOWN_SECONDS": "60",
        },
        grace_seconds=70,
        program=(sys.executable, "-m", "tests.integration.stalled_role", cure),
    )
    with group:
        yield group.start(role, name=cure)


def steps(here: Installation, log: str) -> list[str]:
    return [line["step"] for line in here.logged(log, "stall_noticed")]


@pytest.mark.timeout(900)
def test_a_stalled_partition_is_healed_by_a_seek_a_new_consumer_or_a_restart(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    written = 0

    def write(count: int) -> None:
        nonlocal written
        here.write(encoded(labeled(count, start=written)))
        written += count

    for cure in ("seek", "renew", "exit"):
        with stalled(here, cure) as role:
            begun = len(here.windows())
            write(WINDOW + 10)  # one window is published, the next one is open when it stalls
            here.until(lambda: len(here.windows()) > begun)  # noqa: B023 - called at once
            write(2 * WINDOW - 10)
            if cure == "exit":
                here.until(lambda: role.exit_status is not None)
                assert role.exit_status == STATUS_OF_A_STALL, role.last_lines()
            else:
                here.until(lambda: len(here.windows()) == written // WINDOW)
                here.until(lambda: bool(here.logged(cure, "stall_healed")))  # noqa: B023
                assert role.running, role.last_lines()
    assert steps(here, "seek") == ["seek"]
    assert steps(here, "renew") == ["seek", "renew"]
    assert steps(here, "exit") == ["seek", "renew", "exit"]
    for healed in ("seek", "renew"):
        [line] = here.logged(healed, "stall_healed")
        assert line["partitions"] == [f"{here.settings.topic(LABELED_TEXTS.name)}/0"]
    with here.roles("windows", "train"):
        here.until(lambda: here.labels_learned(TASK) == written)
    windows = sorted(here.windows(), key=lambda window: window.span.start)
    assert [window.span.start for window in windows] == list(range(0, written, WINDOW))
    check_books(here, records=written)
