"""Pause, resume, status and prune beside roles that run, on a real broker."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from typer.testing import CliRunner

from consumers.prune_command import prune_store
from consumers.status.facts import Status
from consumers.status.look import look
from consumers.status.wrong import Limits
from consumers.status_cli import app as status_app
from consumers.task_command import give_command
from model.artifacts import ArtifactStore
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.retention import own_paths
from schemas.control import Action
from schemas.topics import CONTROL, LABELED_TEXTS
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded
from tests.integration.test_train_role import hand_over, windows_on
from tests.integration.texts import labeled

WINDOW = 40
HELD, FREE = "held", "free"


def status_of(here: Installation) -> Status:
    now = datetime.now(UTC)
    return look(here.settings, now=now, since=now - timedelta(hours=1), limits=Limits())


def command(here: Installation, action: Action) -> None:
    give_command(here.settings, action, HELD, who="ops", why="the labels are in doubt")


def test_a_pause_outlives_a_restart_blocks_no_other_task_and_ends_with_its_resume(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    here.write([b'{"type": "command", "action": "dance"}'], topic=CONTROL)
    command(here, Action.PAUSE)
    hand_over(here, [*windows_on(here, HELD, 2), *windows_on(here, FREE, 1)])
    with here.roles("train"):
        here.until(lambda: here.labels_learned(FREE) == WINDOW)
    with here.roles("train"):
        hand_over(here, windows_on(here, FREE, 1, start=1))
        here.until(lambda: here.labels_learned(FREE) == 2 * WINDOW)
        here.write(encoded(labeled(7, task=FREE, start=500)))

        found = status_of(here)
        free, held = found.tasks
        assert (free.task, held.task) == (FREE, HELD)
        assert not here.labels_learned(HELD)
        assert held.waiting is not None
        assert held.waiting.windows == 2
        assert held.paused is not None
        assert held.paused.why == "the labels are in doubt"
        assert free.serves is not None
        assert free.waiting is None
        assert free.gathered is not None
        assert free.gathered.records == 7
        members = {group.role: group.members for group in found.groups}
        assert members == {"windows": 0, "train": 1, "serve": 0}
        assert [one.what for one in found.wrong] == ["no_member", "no_member", "paused"]

        command(here, Action.RESUME)
        here.until(lambda: here.labels_learned(HELD) == 2 * WINDOW)
    here.read_on()
    assert here.logged("train", "command_refused")
    assert not status_of(here).faults


def learned(here: Installation, records: int) -> bool:
    return here.labels_learned(FREE) == records


def heads(entry: LineageEntry) -> list[str]:
    return [path for path in own_paths(entry) if "/head." in path]


def test_a_prune_beside_a_role_that_learns_takes_nothing_that_it_needs(install: Install) -> None:
    least = {"versions": 1, "ensemble": 1, "serving_hours": 0}
    here = install(records=WINDOW, defaults={"retention": least})
    store = ArtifactStore(here.settings.store)
    lineage = Lineage(store, FREE)
    with here.roles("train", FRESHET_PRUNE_MINUTES="0.001"):
        for number in range(4):
            hand_over(here, windows_on(here, FREE, 1, start=number))
            lines = list(prune_store(here.settings, None, dry_run=False, by_age_alone=False))
            assert "files deleted" in lines[-1]
            here.until(partial(learned, here, (number + 1) * WINDOW))
        here.until(lambda: bool(here.logged("train", "store_pruned")))
    list(prune_store(here.settings, None, dry_run=False, by_age_alone=False))

    tip = lineage.tip()
    assert tip is not None
    assert tip.serving == tip.sequence == 3
    assert all(store.holds(path) for path in own_paths(tip))
    assert all(store.holds(path) for path in own_paths(lineage.entry(0))), (
        "it answers beside what serves"
    )
    assert not any(store.holds(path) for path in heads(lineage.entry(1)))
    assert [event.outcome.value for event in here.evaluations(FREE)] == ["promoted"] * 4


@pytest.mark.parametrize("broker", ["127.0.0.1:9"])
def test_a_broker_that_does_not_answer_is_told_and_the_store_is_shown(
    broker: str, install: Install
) -> None:
    here = install(records=WINDOW)
    done = CliRunner().invoke(
        status_app, ["--json", "--bootstrap-servers", broker, "--store", here.settings.store]
    )

    assert done.exit_code == 1
    told = json.loads(done.output)
    assert [one["what"] for one in told["wrong"]] == ["broker_silent"]


def test_labeled_texts_that_no_role_reads_are_open_and_nobody_is_there(install: Install) -> None:
    here = install(records=WINDOW)
    here.write(encoded(labeled(5, task=FREE)), topic=LABELED_TEXTS)
    found = status_of(here)

    [task] = found.tasks
    assert (task.task, task.serves) == (FREE, None)
    assert task.gathered is not None
    assert task.gathered.records == 5
    assert [one.what for one in found.wrong] == ["no_member"] * 3
