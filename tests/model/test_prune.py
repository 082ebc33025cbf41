"""What a prune removes, and what is never lost by it, on stores that a real loop has written."""

from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import prune as pruning
from model.artifacts import ArtifactStore
from model.config import GateConfig, MonitorConfig, RetentionConfig
from model.errors import CondemnedError
from model.learner import wall_clock
from model.lineage import Lineage, encoder_folder
from model.pins import CONDEMNED, condemn, pin
from model.prune import Pruned, prune
from model.retention import own_paths
from model.rollback import RollbackRefusedError
from model.state import TaskState
from tests.model.loop import TASK, Loop, a_window, stream

OBLIGING = GateConfig(obey=False)
LEAST = RetentionConfig(versions=1, ensemble=1, serving_hours=0, attempt_hours=1)
"""Keeps no more than must be kept."""
DAYS = timedelta(days=1000)


@pytest.fixture
def make(tmp_path: Path, tiny_encoder_folder: Path) -> Callable[..., Loop]:
    def made(**changes: Any) -> Loop:
        given = {"gate": OBLIGING, "monitor": MonitorConfig(enabled=False), **changes}
        return Loop(tmp_path, tiny_encoder_folder, **given)

    return made


def pruned(
    store: ArtifactStore,
    config: RetentionConfig = LEAST,
    *,
    later: timedelta = DAYS,
    served: Collection[int] = (),
    dry_run: bool = False,
) -> Pruned:
    return prune(
        store,
        lambda _: config,
        served={TASK: served},
        clock=lambda: wall_clock() + later,
        dry_run=dry_run,
    )


def same(one: TaskState, other: TaskState) -> bool:
    """Whether two states know the same."""
    assert one.head is not None
    assert other.head is not None
    np.testing.assert_array_equal(one.head.weight, other.head.weight)
    np.testing.assert_array_equal(one.statistics.gram, other.statistics.gram)
    ids = [[(row.id, row.part, row.sequence) for row in state.journal] for state in (one, other)]
    return (
        ids[0] == ids[1]
        and one.set_apart.keys() == other.set_apart.keys()
        and [row.id for row in one.replay.rows] == [row.id for row in other.replay.rows]
        and one.tip == other.tip
    )


def history(loop: Loop) -> Loop:
    """Increments, a refresh, a rollback over it, and increments again."""
    records = stream(420)
    for start in range(0, 180, 60):
        loop.learn(records[start : start + 60])
    loop.refresh(records[:180])
    loop.learn(records[180:240])
    loop.learner.rollback(TASK, 2, loop.config, who="ops", why="a test")
    loop.learn(records[240:300])
    return loop


def test_after_the_hardest_prune_a_restarted_learner_knows_what_it_knew_and_learns_on(
    make: Callable[..., Loop],
) -> None:
    loop = history(make())
    before = loop.state()

    done = pruned(loop.store)

    assert done.deleted
    restarted = loop.new_learner()
    assert same(loop.state(restarted), before)
    loop.learner = restarted
    assert loop.learn(stream(60, start=300)).serving == 7


def test_entries_stay_and_a_second_prune_finds_nothing(make: Callable[..., Loop]) -> None:
    loop = history(make())

    pruned(loop.store)

    assert Lineage(loop.store, TASK).sequences() == list(range(7))
    assert pruned(loop.store).doomed == ()
    assert not loop.store.list(CONDEMNED)


def test_a_dry_run_says_the_same_and_deletes_nothing(make: Callable[..., Loop]) -> None:
    loop = history(make())
    files = loop.store.list()

    told = pruned(loop.store, dry_run=True)

    assert loop.store.list() == files
    assert told.deleted == ()
    assert [each.path for each in told.doomed] == list(pruned(loop.store).deleted)


def test_a_kept_version_can_be_restored_after_a_prune_and_an_older_one_is_refused(
    make: Callable[..., Loop],
) -> None:
    loop = make()
    records = stream(300)
    for start in range(0, 240, 60):
        loop.learn(records[start : start + 60])
    pruned(loop.store, LEAST.model_copy(update={"versions": 2}))
    loop.learner = loop.new_learner()

    with pytest.raises(RollbackRefusedError, match="missing"):
        loop.learner.rollback(TASK, 0, loop.config, who="ops", why="too far back")
    entry = loop.learner.rollback(TASK, 2, loop.config, who="ops", why="a test")

    assert (entry.kind, entry.serving) == ("rollback", 4)
    assert loop.learn(records[240:300]).serving == 5


def test_a_prune_keeps_whole_what_may_be_restored_across_a_refresh(
    make: Callable[..., Loop],
) -> None:
    """The rows learned since are told again from journals, also where the encoder was another."""
    loop = make()
    records = stream(300)
    loop.learn(records[:180])
    loop.refresh(records[:180])
    loop.learn(records[180:240])
    pruned(loop.store, LEAST.model_copy(update={"versions": 3}))
    loop.learner = loop.new_learner()

    entry = loop.learner.rollback(TASK, 0, loop.config, who="ops", why="a test")

    assert entry.serving == 3
    assert entry.set_apart == (2,)


def test_journals_behind_the_horizon_go_and_those_before_it_stay(
    make: Callable[..., Loop],
) -> None:
    loop = make(duplicate_horizon_records=100)
    for start in range(0, 360, 60):
        loop.learn(stream(60, start=start))
    before = loop.state()

    pruned(loop.store)

    journals = [path for path in loop.store.list("tasks") if path.endswith("journal.parquet")]
    assert [path.split("/")[3][:8] for path in journals] == ["00000004", "00000005"]
    assert same(loop.state(loop.new_learner()), before)


def test_what_a_serve_role_may_hold_can_still_be_loaded(make: Callable[..., Loop]) -> None:
    loop = make()
    for start in range(0, 240, 60):
        loop.learn(stream(60, start=start))
    day = LEAST.model_copy(update={"serving_hours": 24.0})

    pruned(loop.store, day, later=timedelta())
    assert [holds_version(loop, number) for number in range(4)] == [True] * 4
    pruned(loop.store, day, served=[1])
    assert [holds_version(loop, number) for number in range(4)] == [False, True, False, True]


def holds_version(loop: Loop, number: int) -> bool:
    version = loop.lineage.entry(number).version
    assert version is not None
    return all(loop.store.holds(a.path) for a in (version.encoder, version.tokenizer, version.head))


def test_an_attempt_in_flight_is_never_touched_however_old_it_is(
    make: Callable[..., Loop],
) -> None:
    loop = make()
    loop.learn(stream(60))
    flying = [f"tasks/{TASK}/attempts/00000001-a/head.onnx", "tasks/new/attempts/00000000-b/x"]
    for path in flying:
        loop.store.put(path, b"not committed yet")

    pruned(loop.store)

    assert all(loop.store.holds(path) for path in flying)


def test_an_attempt_that_lost_its_race_goes_once_it_is_old_enough(
    make: Callable[..., Loop],
) -> None:
    loop = make()
    loop.learn(stream(60))
    lost = f"tasks/{TASK}/attempts/00000000-lost/head.onnx"
    loop.store.put(lost, b"came second")

    assert pruned(loop.store, later=timedelta()).deleted == ()
    assert pruned(loop.store).deleted == (lost,)


def test_a_name_that_no_attempt_has_is_left_alone(make: Callable[..., Loop]) -> None:
    loop = make()
    loop.learn(stream(60))
    mine = f"tasks/{TASK}/attempts/notes/read-me.txt"
    loop.store.put(mine, b"mine")

    assert pruned(loop.store).deleted == ()
    assert loop.store.holds(mine)


def test_an_encoder_goes_with_the_last_version_that_uses_it(make: Callable[..., Loop]) -> None:
    loop = make()
    records = stream(240)
    loop.learn(records[:180])
    loop.refresh(records[:180])
    first, second = (loop.lineage.entry(number).encoder for number in (0, 1))
    assert first is not None
    assert second is not None

    pruned(loop.store, LEAST.model_copy(update={"ensemble": 2}))
    assert loop.store.folders("encoders") == tuple(sorted((first.digest, second.digest)))
    pruned(loop.store, later=timedelta())
    assert len(loop.store.folders("encoders")) == 2, "it was written less than an hour ago"
    pruned(loop.store)
    assert loop.store.folders("encoders") == (second.digest,)


def test_another_task_that_uses_an_encoder_keeps_it(make: Callable[..., Loop]) -> None:
    loop = make()
    loop.learner.increment("moods", [a_window(stream(60))], loop.config)
    loop.learn(stream(180))
    loop.refresh(stream(180))

    pruned(loop.store)

    assert len(loop.store.folders("encoders")) == 2


def test_a_warm_learner_writes_an_encoder_again_that_was_pruned(make: Callable[..., Loop]) -> None:
    loop = make()
    loop.learn(stream(180))
    loop.refresh(stream(180))
    pruned(loop.store)
    assert len(loop.store.folders("encoders")) == 1

    entry = loop.learner.increment("moods", [a_window(stream(60))], loop.config)

    assert all(loop.store.holds(path) for path in own_paths(entry))


@pytest.mark.parametrize("first", ["the round", "the prune"])
def test_a_round_that_names_an_encoder_again_and_a_prune_of_it_cannot_both_go_on(
    first: str, make: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round has its say before the prune writes its list, or after."""
    loop = make()
    loop.learn(stream(60))
    folder = encoder_folder("f" * 64)
    loop.store.put(f"{folder}/encoder.onnx", b"of a fit that came out the same again")
    said: list[str] = []

    def condemned(store: ArtifactStore, *given: Any, **more: Any) -> str:
        if first == "the round":
            said.append(round_says(store))
        listed = condemn(store, *given, **more)
        if first == "the prune":
            said.append(round_says(store))
        return listed

    def round_says(store: ArtifactStore) -> str:
        try:
            pin(store, f"tasks/{TASK}/attempts/00000001-a", [folder])
        except CondemnedError:
            return "later"
        return "mine"

    monkeypatch.setattr(pruning, "condemn", condemned)
    done = pruned(loop.store)

    assert said == ["mine" if first == "the round" else "later"]
    assert done.deleted == ()
    assert loop.store.holds(f"{folder}/encoder.onnx")


def test_the_pins_of_an_attempt_that_lost_its_race_hold_nothing(make: Callable[..., Loop]) -> None:
    loop = make()
    loop.learn(stream(60))
    folder = encoder_folder("f" * 64)
    loop.store.put(f"{folder}/encoder.onnx", b"of a round that came second")
    pin(loop.store, f"tasks/{TASK}/attempts/00000000-lost", [folder])

    pruned(loop.store)

    assert not loop.store.holds(f"{folder}/encoder.onnx")


def test_a_list_left_by_a_prune_that_died_blocks_only_for_a_while(
    make: Callable[..., Loop],
) -> None:
    loop = make()
    loop.learn(stream(60))
    condemn(loop.store, "dead", [encoder_folder("f" * 64)], now=wall_clock())
    attempt = f"tasks/{TASK}/attempts/00000001-a"

    with pytest.raises(CondemnedError, match="is being pruned"):
        pin(loop.store, attempt, [encoder_folder("f" * 64)])
    pin(loop.store, attempt, [encoder_folder("e" * 64)])
    pruned(loop.store, later=timedelta(minutes=16))
    pin(loop.store, attempt, [encoder_folder("f" * 64)])


def test_a_prune_that_dies_at_any_file_leaves_a_task_that_learns_on_and_the_next_ends_it(
    make: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = history(make())
    before, remove = loop.state(), loop.store.remove
    dies_after = iter(range(1, 1000, 7))

    def dying(path: str, *, left: list[int]) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        remove(path)

    while True:
        left = [next(dies_after)]
        monkeypatch.setattr(loop.store, "remove", lambda path, left=left: dying(path, left=left))
        try:
            pruned(loop.store)
        except KeyboardInterrupt:
            assert same(loop.state(loop.new_learner()), before)
        else:
            break

    monkeypatch.setattr(loop.store, "remove", remove)
    assert pruned(loop.store).doomed == ()


@pytest.mark.parametrize("missing", ["anchor", "predecessor"])
def test_a_predecessor_whose_files_are_gone_is_confirmed_and_an_anchor_has_no_head(
    missing: str, make: Callable[..., Loop]
) -> None:
    loop = make(monitor=MonitorConfig())
    loop.learn(stream(60))
    loop.learn(stream(60, start=60))
    held = loop.state()
    assert held.anchor is not None
    assert held.probation is not None
    number = held.anchor.version if missing == "anchor" else held.probation.version
    files = loop.lineage.entry(number).files
    assert files is not None
    assert files.head is not None
    if held.tip is not None and held.tip.files is not None and files.head == held.tip.files.head:
        pytest.skip("what serves is the anchor")
    loop.store.remove(files.head.path)

    state = loop.state(loop.new_learner())

    assert state.anchor is not None
    assert (state.anchor.head if missing == "anchor" else state.probation) is None
