"""Features that are kept on this machine: never wrong, and never needed."""

from pathlib import Path

import numpy as np
import pytest

from model.config import EncoderConfig
from model.encoder import Encoder, Features
from model.feature_cache import FeatureCache
from tests.model.tiny import labeled_texts, write_tiny_encoder

TEXTS = labeled_texts(8)[0]


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


def never(_texts: object) -> Features:
    raise AssertionError("it was encoded again")


def test_texts_are_encoded_once(
    cache: FeatureCache, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache.features(encoder, TEXTS)
    monkeypatch.setattr(encoder, "features", never)

    np.testing.assert_array_equal(cache.features(encoder, TEXTS), first)


def test_other_texts_and_another_encoder_are_not_mixed_up(
    cache: FeatureCache, encoder: Encoder, tmp_path: Path
) -> None:
    name = str(write_tiny_encoder(tmp_path / "other", seed=1))
    other = Encoder.load(name, config=EncoderConfig(base_model=name), device="cpu")
    assert other.digest != encoder.digest
    cache.features(encoder, ["one two", "three"])

    for one, texts in ((encoder, ["one", "two three"]), (other, ["one two", "three"])):
        np.testing.assert_array_equal(cache.features(one, texts), one.features(texts))


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x93NUMPY\x01\x00"])
def test_a_broken_file_is_computed_again(
    cache: FeatureCache, encoder: Encoder, tmp_path: Path, content: bytes
) -> None:
    first = cache.features(encoder, TEXTS)
    (file,) = (tmp_path / "features").iterdir()
    file.write_bytes(content)

    np.testing.assert_array_equal(cache.features(encoder, TEXTS), first)


def test_a_folder_that_cannot_be_written_costs_only_time(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "features")

    np.testing.assert_array_equal(cache.features(encoder, TEXTS), encoder.features(TEXTS))
    cache.clear()


def test_what_is_cleared_is_gone(cache: FeatureCache, encoder: Encoder, tmp_path: Path) -> None:
    cache.features(encoder, TEXTS)

    cache.clear()

    assert not (tmp_path / "features").exists()
