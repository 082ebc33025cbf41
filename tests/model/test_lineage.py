"""A lineage is a log: entries are created once, in order, and never changed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from model.errors import ArtifactRefusedError, NotFoundError, TipMovedError
from model.lineage import Lineage, tasks_in
from model.lineage_entry import LineageEntry
from tests.hostile import extremes, hostile
from tests.model.loop import TASK, Loop, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder)


@pytest.fixture
def first(loop: Loop) -> LineageEntry:
    return loop.learn(stream(60))


def test_an_entry_is_read_as_it_was_written(loop: Loop, first: LineageEntry) -> None:
    assert loop.lineage.entry(0) == first
    assert loop.lineage.tip() == first


def test_a_task_without_entries_has_no_tip(loop: Loop) -> None:
    assert loop.lineage.tip() is None
    with pytest.raises(NotFoundError):
        loop.lineage.entry(0)


def test_a_commit_that_is_tried_again_after_it_had_succeeded_is_fine(
    loop: Loop, first: LineageEntry
) -> None:
    loop.lineage.commit(first)

    assert loop.lineage.sequences() == [0]


def test_a_commit_on_a_sequence_of_somebody_else_is_refused(
    loop: Loop, first: LineageEntry
) -> None:
    with pytest.raises(TipMovedError, match="another worker"):
        loop.lineage.commit(first.model_copy(update={"attempt": "00000000-ffffffffffff"}))

    assert loop.lineage.entry(0) == first


def test_entries_are_walked_newest_first(loop: Loop, first: LineageEntry) -> None:
    second = loop.learn(stream(60, start=60))

    assert list(loop.lineage.back_from(second)) == [second, first]


def test_an_unreadable_entry_is_refused_with_its_path(loop: Loop) -> None:
    path = f"tasks/{TASK}/lineage/00000000.json"
    loop.store.create(path, b'{"task": "prices"')

    with pytest.raises(ArtifactRefusedError, match=path):
        loop.lineage.tip()


class Held:
    """A store with one value under every name."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def get(self, _path: str) -> bytes:
        return self._raw


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the entry is only read
)
@given(data=st.data())
def test_whatever_stands_there_is_an_entry_or_refused_in_few_words(
    first: LineageEntry, data: st.DataObject
) -> None:
    example = json.loads(first.model_dump_json())
    store: Any = Held(data.draw(hostile(example)))
    try:
        Lineage(store, TASK).entry(0)
    except ArtifactRefusedError as error:
        told = str(error)
        event(told.split(":", maxsplit=1)[0])
    else:
        told = ""
    assert len(told) < 700


def test_extreme_entries_are_refused_in_few_words(loop: Loop, first: LineageEntry) -> None:
    example = json.loads(first.model_dump_json())
    for what, raw in extremes(example, "labels").items():
        store: Any = Held(raw)
        if what == "ten megabytes of ignored fields":
            assert Lineage(store, TASK).entry(0) == first
            continue
        with pytest.raises(ArtifactRefusedError) as caught:
            Lineage(store, TASK).entry(0)
        assert len(str(caught.value)) < 700, what


def test_an_entry_from_before_labels_were_refused_is_read(first: LineageEntry) -> None:
    old = json.loads(first.model_dump_json())
    del old["refused"]
    store: Any = Held(json.dumps(old).encode())
    assert Lineage(store, TASK).entry(0) == first


def test_tasks_are_those_with_a_lineage(loop: Loop, first: LineageEntry) -> None:
    loop.store.put("tasks/only-an-attempt/attempts/1/head.onnx", b"x")

    assert tasks_in(loop.store) == [first.task]


def test_every_file_of_a_promoted_entry_is_in_the_store(loop: Loop, first: LineageEntry) -> None:
    assert first.files is not None
    assert first.encoder is not None
    for artifact in (
        first.files.statistics,
        first.files.holdout,
        first.files.head,
        first.files.journal,
        first.encoder.graph,
        *first.encoder.files.values(),
    ):
        assert artifact is not None
        assert len(loop.store.fetch(artifact)) == artifact.size_bytes


def test_two_lineages_do_not_know_each_other(loop: Loop, first: LineageEntry) -> None:
    assert Lineage(loop.store, "other").tip() is None
    assert loop.lineage.tip() == first


@pytest.mark.parametrize("name", ["00000002.json.bak", "README", "2.json", "notes.json"])
def test_what_somebody_left_beside_the_entries_is_none(
    name: str, loop: Loop, first: LineageEntry
) -> None:
    (lineage := loop.lineage).store.put(f"tasks/{TASK}/lineage/{name}", b"left here")

    assert lineage.sequences() == [0]
    assert lineage.tip() == first


def test_an_entry_under_the_name_of_another_is_refused(loop: Loop, first: LineageEntry) -> None:
    store = loop.lineage.store
    store.put(f"tasks/{TASK}/lineage/00000007.json", store.get(loop.lineage.path_of(0)))

    with pytest.raises(ArtifactRefusedError, match=f"00000007.json .* but entry 0 of {TASK}"):
        loop.lineage.tip()
