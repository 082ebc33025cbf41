from pathlib import Path

import pytest

from consumers.demo.scoring import score_versions
from model.artifacts import ArtifactStore
from model.errors import ArtifactRefusedError
from schemas.labeled_text import LabeledText
from schemas.model_version import Artifact
from tests.model.tiny_onnx import WORDS, expected, store_version

TEST_SET = [
    LabeledText(id=word, task="colors", text=word, label=expected(word, turns=turns))
    for word, turns in zip(WORDS, (0, 0, 1), strict=True)
]
"""Two of three agree with a version that turns nothing, one with a version that turns once."""


class CountingStore(ArtifactStore):
    """Counts the encoders that are fetched."""

    encoders = 0

    def fetch(self, artifact: Artifact) -> bytes:
        self.encoders += artifact.path.endswith("e.onnx")
        return super().fetch(artifact)


def test_versions_are_scored_on_their_own_answers_and_an_encoder_is_loaded_once(
    tmp_path: Path,
) -> None:
    store = CountingStore(str(tmp_path))
    versions = [
        store_version(store, 0),
        store_version(store, 1, head_turn=1),
        store_version(store, 2, encoder_turn=1),
    ]
    scores = score_versions(versions, TEST_SET, artifacts=store, threads=1)
    assert scores.accuracy == pytest.approx(
        {("colors", 0): 2 / 3, ("colors", 1): 1 / 3, ("colors", 2): 1 / 3}
    )
    assert scores.records == {"colors": 3}
    assert store.encoders == 2


def test_a_task_without_a_test_set_is_not_scored(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    scores = score_versions([store_version(store, 0, task="other")], TEST_SET, artifacts=store)
    assert scores.accuracy == {}


def test_a_version_that_was_tampered_with_is_not_scored(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    version = store_version(store, 0)
    store.put(version.head.path, b"not what it was")
    with pytest.raises(ArtifactRefusedError):
        score_versions([version], TEST_SET, artifacts=store)
