"""What a prune removes, and what it never does, on stores that are written by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifacts import ArtifactStore
from model.lineage import Lineage, encoder_folder
from model.lineage_entry import LineageEntry
from model.pins import CONDEMNED
from model.prune import prune
from model.retention import origin, own_paths
from tests.model.pruned import ATTEMPTS, LEAST, YEARS, pruned, servable
from tests.model.written import TASK, Kind, Written


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path))


def whole(store: ArtifactStore, entry: LineageEntry) -> bool:
    return all(store.holds(path) for path in own_paths(entry))


def journals(lineage: Lineage, last: LineageEntry) -> Iterator[str]:
    """What the state after an entry is read from, as `model.state` reads it: newest first."""
    first = last.files.journal_from if last.files else None
    for entry in lineage.back_from(last):
        if entry.sequence < (first or 0):
            return
        if entry.files is not None and entry.files.journal is not None:
            yield entry.files.journal.path
            if entry.files.journal_is_snapshot:
                return


KINDS = st.sampled_from(["increment", "increment", "rejected", "refresh", "failed", "rollback"])


@settings(max_examples=40, deadline=None)
@given(
    kinds=st.lists(KINDS, max_size=14),
    versions=st.integers(1, 4),
    horizon=st.integers(1, 6),
    pick=st.randoms(use_true_random=False),
)
def test_whatever_was_learned_what_is_needed_stays_and_nothing_is_left_for_a_second_prune(
    kinds: list[Kind], versions: int, horizon: int, pick: Any
) -> None:
    store = ArtifactStore("memory:///")
    written = Written(store, horizon=horizon)
    promoted = [written.round("increment").sequence]
    for kind in kinds:
        to = pick.choice(promoted) if kind == "rollback" else None
        name = f"enc-{uuid4().hex[:6]}" if kind == "refresh" else ""
        entry = written.round(kind, to=to, encoder=name)
        promoted += [entry.sequence] if entry.version else []
    assert written.tip is not None
    tip, lineage = written.tip, written.lineage

    pruned(store, LEAST.model_copy(update={"versions": versions}))

    assert lineage.sequences() == list(range(tip.sequence + 1))
    assert pruned(store, LEAST.model_copy(update={"versions": versions})).doomed == ()
    needed = [tip, *(lineage.entry(number) for number in promoted[-versions:])]
    needed += [lineage.entry(tip.probation.version)] if tip.probation else []
    needed += [lineage.entry(tip.trial.version)] if tip.trial else []
    for entry in needed:
        assert whole(store, entry)
        assert all(store.holds(path) for path in journals(lineage, entry))
        since = range(entry.sequence + 1, tip.sequence + 1)
        later = (lineage.entry(number).files for number in since)
        assert all(store.holds(f.journal.path) for f in later if f and f.journal)
        assert whole(store, origin(entry, lineage.entry))
    assert tip.anchor is not None
    answering = [tip.anchor.version, *([tip.trial.refreshed] if tip.trial else [])]
    for number in answering:
        files = lineage.entry(number).files
        assert files is not None
        assert files.head is not None
        assert store.holds(files.head.path)


def test_old_versions_go_with_their_files_and_their_entries_stay(store: ArtifactStore) -> None:
    written = Written(store, horizon=2).rounds(10)

    done = pruned(store)

    assert set(done.deleted) == {each.path for each in done.doomed}
    assert written.lineage.sequences() == list(range(10))
    assert not written.store.list(f"{ATTEMPTS}/00000003-increment")
    assert not store.list(CONDEMNED)


def test_a_dry_run_says_the_same_and_deletes_nothing(store: ArtifactStore) -> None:
    Written(store, horizon=2).rounds(8)
    files = store.list()

    told = pruned(store, dry_run=True)

    assert store.list() == files
    assert told.deleted == ()
    assert [each.path for each in told.doomed] == list(pruned(store).deleted)
    assert {one.why for one in told.tasks[TASK].kept} >= {"it serves", "one of the last 1 versions"}


def test_what_a_serve_role_may_hold_or_predictions_name_can_still_be_loaded(
    store: ArtifactStore,
) -> None:
    """Rounds are an hour apart, so that versions 5, 6 and 7 were replaced within two hours."""
    written = Written(store, horizon=1, stays=1).rounds(9)
    hours = LEAST.model_copy(update={"serving_hours": 2.5})
    prune(store, lambda _: hours, served={TASK: [2, 99]}, clock=lambda: written.now)

    assert servable(written) == [2, 5, 6, 7, 8]


def test_versions_promoted_within_some_days_can_be_restored(store: ArtifactStore) -> None:
    written = Written(store, horizon=1, stays=1).rounds(9)
    days = LEAST.model_copy(update={"days": 2.5 / 24})
    prune(store, lambda _: days, served={}, clock=lambda: written.now)

    entries = [written.lineage.entry(number) for number in (5, 6, 7, 8)]
    assert [whole(store, entry) for entry in entries] == [False, True, True, True]


def test_an_ensemble_keeps_the_last_version_under_each_encoder(store: ArtifactStore) -> None:
    written = Written(store, horizon=1, stays=1).rounds(2)
    for name in ("first", "second"):
        written.round("refresh", encoder=name)
        written.rounds(3)

    pruned(store, LEAST.model_copy(update={"ensemble": 3}))

    assert [whole(store, written.lineage.entry(number)) for number in (0, 1, 2, 5, 9)] == [
        False, True, False, True, True,
    ]  # fmt: skip
    assert len(store.folders("encoders")) == 3
    pruned(store)
    assert len(store.folders("encoders")) == 1


def test_an_attempt_in_flight_is_never_touched_however_old_it_is(store: ArtifactStore) -> None:
    Written(store).rounds(2)
    flying = [f"{ATTEMPTS}/00000002-a/head.onnx", "tasks/new/attempts/00000000-b/x"]
    for path in flying:
        store.put(path, b"not committed yet")

    pruned(store)

    assert all(store.holds(path) for path in flying)


def test_an_attempt_that_lost_its_race_goes_once_it_is_old_enough(store: ArtifactStore) -> None:
    Written(store).rounds(1)
    lost = f"{ATTEMPTS}/00000000-lost/head.onnx"
    store.put(lost, b"came second")

    assert pruned(store, later=timedelta()).deleted == ()
    assert pruned(store).deleted == (lost,)


def test_a_name_that_no_attempt_has_is_left_alone(store: ArtifactStore) -> None:
    Written(store).rounds(1)
    store.put(f"{ATTEMPTS}/notes/read-me.txt", b"mine")

    assert pruned(store).deleted == ()


def test_an_encoder_that_nobody_uses_goes_once_it_is_old_enough(store: ArtifactStore) -> None:
    Written(store).rounds(1)
    unused = f"{encoder_folder('f' * 64)}/encoder.onnx"
    store.put(unused, b"of a base model that no task has any more")

    assert pruned(store, later=timedelta()).deleted == ()
    assert pruned(store).deleted == (unused,)


def test_another_task_that_uses_an_encoder_keeps_it_also_where_one_task_is_named(
    store: ArtifactStore,
) -> None:
    Written(store, "moods", horizon=1, stays=1).rounds(3)
    written = Written(store, horizon=1, stays=1).rounds(1)
    written.round("refresh", encoder="own")
    now = datetime.now(UTC) + YEARS

    done = prune(store, lambda _: LEAST, served={}, clock=lambda: now, task="moods")

    assert len(store.folders("encoders")) == 2
    assert set(done.tasks) == {"moods"}
    assert {path.split("/")[1] for path in done.deleted} == {"moods"}


def test_a_prune_that_dies_at_any_file_or_is_stopped_is_ended_by_the_next(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(store, horizon=2).rounds(12)
    assert written.tip is not None
    remove, left = store.remove, [0]

    def dying(path: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        remove(path)

    monkeypatch.setattr(store, "remove", dying)
    for number in (0, 1, 5, 9):
        left[0] = number
        with pytest.raises(KeyboardInterrupt):
            pruned(store)
        assert whole(store, written.tip)
    monkeypatch.setattr(store, "remove", remove)
    now = datetime.now(UTC) + YEARS
    prune(store, lambda _: LEAST, served={}, clock=lambda: now, stopped=lambda: True)

    assert pruned(store, later=YEARS + timedelta(minutes=16)).deleted
    assert pruned(store).doomed == ()
    assert not store.list(CONDEMNED)
