"""The store: whole files or none, one winner, nothing unproven."""

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.artifact_cache import CachedArtifacts
from model.artifacts import ArtifactStore, artifact_of
from model.errors import (
    AlreadyExistsError,
    ArtifactRefusedError,
    ConfigError,
    NotFoundError,
    RetryError,
    StoreUnavailableError,
)
from schemas.model_version import Artifact


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore("memory:///" if request.param == "memory" else str(tmp_path / "st ore"))


def test_what_is_put_is_fetched(store: ArtifactStore) -> None:
    artifact = store.put("encoders/ab/encoder.onnx", b"graph")
    assert artifact == artifact_of("encoders/ab/encoder.onnx", b"graph")
    assert store.fetch(artifact) == store.get(artifact.path) == b"graph"


def test_put_replaces(store: ArtifactStore) -> None:
    store.put("a", b"one")
    store.put("a", b"two")
    assert store.get("a") == b"two"


def test_create_refuses_a_name_that_exists_and_leaves_it_unchanged(store: ArtifactStore) -> None:
    store.create("lineage/1.json", b"first")
    with pytest.raises(AlreadyExistsError):
        store.create("lineage/1.json", b"second")
    assert store.get("lineage/1.json") == b"first"


def _create(uri: str, name: int) -> bool:
    try:
        ArtifactStore(uri).create("lineage/1.json", str(name).encode())
    except AlreadyExistsError:
        return False
    return True


def test_of_many_writers_exactly_one_creates(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(_create, [str(tmp_path)] * 32, range(32)))
    assert sum(won) == 1
    assert ArtifactStore(str(tmp_path)).get("lineage/1.json") == str(won.index(True)).encode()


def test_nothing_but_the_file_is_left_in_the_folder(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    store.put("a/b/c", b"x")
    with pytest.raises(AlreadyExistsError):
        store.create("a/b/c", b"y")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / "a/b/c"]


def test_bytes_are_on_disk_before_the_name_is_and_the_folders_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, bool]] = []
    named = tmp_path / "a/b/c"
    monkeypatch.setattr("model.artifacts._sync", lambda path: synced.append((path, named.exists())))
    ArtifactStore(str(tmp_path)).create("a/b/c", b"x")
    assert synced[0][0].parent == tmp_path / ".staging"
    assert not synced[0][1]
    assert synced[1:] == [(tmp_path / "a/b", True), (tmp_path / "a", True), (tmp_path, True)]


def test_what_a_killed_process_left_half_written_is_swept_a_day_later(tmp_path: Path) -> None:
    ArtifactStore(str(tmp_path)).put("a", b"x")
    left, at_work = tmp_path / ".staging" / "left", tmp_path / ".staging" / "at-work"
    for staged in (left, at_work):
        staged.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(left, (two_days_ago, two_days_ago))
    ArtifactStore(str(tmp_path))
    assert not left.exists()
    assert at_work.exists()


def test_a_write_whose_folder_is_removed_meanwhile_may_go_well_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore(str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr("model.artifacts._sync", lambda path: path.unlink())
        for write in (store.put, store.create):
            with pytest.raises(StoreUnavailableError, match="a/b: cannot write"):
                write("a/b", b"x")
    store.create("a/b", b"x")


def test_list_is_sorted_and_bounded_by_folder_and_start(store: ArtifactStore) -> None:
    for path in ("t/2", "t/10", "t/1", "tt/1", "u"):
        store.put(path, b"")
    assert store.list("t") == ["t/1", "t/10", "t/2"]
    assert store.list("t", after="t/1") == ["t/10", "t/2"]
    assert store.list() == ["t/1", "t/10", "t/2", "tt/1", "u"]
    assert store.list("nothing") == []


def test_delete_removes_the_folder_and_not_its_namesake(store: ArtifactStore) -> None:
    for path in ("a/1/x", "a/1/y", "a/10/x"):
        store.put(path, b"")
    store.delete("a/1")
    store.delete("a/1")
    assert store.list() == ["a/10/x"]


def test_delete_removes_a_single_file(store: ArtifactStore) -> None:
    store.put("a/x", b"")
    store.delete("a/x")
    assert store.list() == []


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/x", "", "a//b", ".hidden", "a/", "a\n"]
)
def test_a_path_that_could_climb_out_is_refused(store: ArtifactStore, path: str) -> None:
    with pytest.raises(ArtifactRefusedError):
        store.put(path, b"x")
    with pytest.raises(ArtifactRefusedError):
        store.get(path)
    with pytest.raises(ArtifactRefusedError):
        store.fetch(Artifact.model_construct(path=path, sha256="0" * 64, size_bytes=0))


def test_missing_has_its_own_class_and_a_missing_artifact_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(NotFoundError):
        store.get("nothing")
    with pytest.raises(ArtifactRefusedError, match="missing"):
        store.fetch(artifact_of("nothing", b"x"))


def test_a_truncated_artifact_is_refused(store: ArtifactStore) -> None:
    artifact = store.put("a", b"whole")
    store.put("a", b"who")
    with pytest.raises(ArtifactRefusedError, match="3 bytes, not 5"):
        store.fetch(artifact)


def test_a_tampered_artifact_is_refused(store: ArtifactStore) -> None:
    artifact = store.put("a", b"whole")
    store.put("a", b"whale")
    with pytest.raises(ArtifactRefusedError, match="SHA-256"):
        store.fetch(artifact)


def test_an_artifact_over_the_limit_is_refused_unread(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = store.put("a", b"whole")
    monkeypatch.setattr("model.artifacts.MAX_ARTIFACT_BYTES", 4)
    with pytest.raises(ArtifactRefusedError, match="over the limit of 4"):
        store.fetch(artifact)


def test_a_relative_folder_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ArtifactStore("st#ore")
    store.put("a", b"x")
    assert store.uri == str(tmp_path / "st#ore")
    assert ArtifactStore(f"file://{store.uri}").get("a") == b"x"


@pytest.mark.parametrize("uri", ["nope://x", "s3://"])
def test_an_address_of_no_store_is_a_config_error(uri: str) -> None:
    with pytest.raises(ConfigError, match=uri):
        ArtifactStore(uri)


def test_a_store_that_cannot_be_written_is_to_be_retried(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    store.put("file", b"")
    with pytest.raises(StoreUnavailableError) as caught:
        store.put("file/below", b"x")
    assert isinstance(caught.value, RetryError)
    assert store.list() == ["file"]


class _Counting:
    def __init__(self, store: ArtifactStore) -> None:
        self.store, self.fetches = store, 0

    def fetch(self, artifact: Artifact) -> bytes:
        self.fetches += 1
        return self.store.fetch(artifact)


def test_the_cache_fetches_once_and_mends_a_damaged_file(tmp_path: Path) -> None:
    store = _Counting(ArtifactStore("memory:///"))
    artifact = store.store.put("a", b"whole")
    cache = CachedArtifacts(store, tmp_path)
    assert [cache.fetch(artifact), cache.fetch(artifact)] == [b"whole"] * 2
    assert store.fetches == 1
    (tmp_path / artifact.sha256).write_bytes(b"whale")
    assert cache.fetch(artifact) == b"whole"
    assert cache.fetch(artifact) == b"whole"
    assert store.fetches == 2


def test_the_cache_keeps_nothing_that_was_refused(tmp_path: Path) -> None:
    store = ArtifactStore("memory:///")
    artifact = store.put("a", b"whole")
    store.put("a", b"whale")
    with pytest.raises(ArtifactRefusedError):
        CachedArtifacts(store, tmp_path).fetch(artifact)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_drops_the_least_recently_used(tmp_path: Path) -> None:
    store = _Counting(ArtifactStore("memory:///"))
    artifacts = [store.store.put(name, name.encode() * 10) for name in "abc"]
    cache = CachedArtifacts(store, tmp_path, max_bytes=20)
    for artifact in artifacts:
        cache.fetch(artifact)
    kept = {file.name for file in tmp_path.iterdir()}
    assert len(kept) == 2
    assert artifacts[2].sha256 in kept


def test_a_cache_that_cannot_be_written_still_answers(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ArtifactStore("memory:///")
    artifact = store.put("a", b"whole")
    assert CachedArtifacts(store, tmp_path / "file").fetch(artifact) == b"whole"


def _fetch_often(store: str, cache: str, artifact: Artifact) -> int:
    reader = CachedArtifacts(ArtifactStore(store), Path(cache))
    return sum(reader.fetch(artifact) == b"x" * 100_000 for _ in range(50))


def test_several_processes_share_a_cache(tmp_path: Path) -> None:
    artifact = ArtifactStore(str(tmp_path / "store")).put("a", b"x" * 100_000)
    arguments = (str(tmp_path / "store"), str(tmp_path / "cache"), artifact)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.starmap(_fetch_often, [arguments] * 2) == [50, 50]


def test_who_only_reads_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no folder .*typo; name another by --store or FRESHET_"):
        ArtifactStore(str(tmp_path / "typo"), must_exist=True)
    assert not (tmp_path / "typo").exists()
    assert ArtifactStore(str(tmp_path), must_exist=True).list("tasks") == []
