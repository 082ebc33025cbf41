"""A damaged file is damaged as told, and put back as it was."""

from pathlib import Path

import pytest

from model.artifacts import ArtifactStore
from model.errors import ArtifactRefusedError
from tests.faults.tampering import Damage, announced_files, damage, mend
from tests.model.loop import ALWAYS, TASK, Loop, stream


@pytest.mark.parametrize(
    ("how", "told"),
    [("flip", "its SHA-256 is"), ("truncate", "it has 50 bytes, not 100"), ("remove", "missing")],
)
def test_a_damaged_file_is_refused_and_a_mended_one_is_not(
    tmp_path: Path, how: Damage, told: str
) -> None:
    store = ArtifactStore(str(tmp_path))
    artifact = store.put("a/file", bytes(100))
    held = damage(tmp_path / "a" / "file", how)
    with pytest.raises(ArtifactRefusedError, match=told):
        store.fetch(artifact)
    mend(tmp_path / "a" / "file", held)
    assert store.fetch(artifact) == bytes(100)


def test_the_files_of_a_version_are_found_in_its_entry(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    entry = loop.learn(stream(60))
    assert entry.version is not None
    files = announced_files(tmp_path / "store", TASK, 0)
    assert files["head"].read_bytes() == loop.store.fetch(entry.version.head)
    assert files["encoder"].read_bytes() == loop.store.fetch(entry.version.encoder)
    loop.learner.fail_refresh(TASK, "a test", loop.config)
    assert announced_files(tmp_path / "store", TASK, 1) == {}
