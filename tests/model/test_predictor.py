"""A predictor answers in order, shares encoders, frees them, and refuses what does not fit."""

import subprocess
import sys
import weakref

import numpy as np
import pytest

from model.artifacts import ArtifactStore
from model.errors import ArtifactRefusedError, ConfigError, FreshetError, NotFiniteError
from model.onnx_session import providers_for
from model.predictor import FeatureExtractor, Predictor
from model.predictor_loader import PredictorLoader
from tests.model import tiny_onnx
from tests.model.tiny_onnx import LABELS, WORDS, expected


def _predictor(**changed: object) -> Predictor:
    files: dict[str, object] = {
        "encoder": tiny_onnx.encoder(),
        "tokenizer": tiny_onnx.tokenizer(),
        "head": tiny_onnx.head(),
        "labels": LABELS,
        "threads": 1,
    }
    return Predictor.from_bytes(**(files | changed))  # type: ignore[arg-type]


def test_answers_come_in_the_order_of_the_texts() -> None:
    draw = np.random.default_rng(0)
    words = [str(word) for word in draw.choice(WORDS, 300)]
    texts = [" ".join([word] * draw.integers(1, 20)) for word in words]
    answers = _predictor().predict(texts)
    assert [answer.label for answer in answers] == [expected(word, turns=0) for word in words]


def test_scores_carry_every_label_and_sum_to_one() -> None:
    (answer,) = _predictor().predict(["alpha beta beta"])
    assert tuple(answer.scores) == LABELS
    assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-6)
    logits = 20 * np.array([1 / 3, 2 / 3, 0])
    softmax = np.exp(logits) / np.exp(logits).sum()
    assert list(answer.scores.values()) == pytest.approx(softmax, abs=1e-6)


def test_padding_does_not_change_an_answer() -> None:
    predictor = _predictor()
    alone = predictor.predict(["alpha beta"])[0]
    padded = predictor.predict(["alpha beta", "gamma " * 12])[0]
    assert padded.scores == pytest.approx(alone.scores, abs=1e-6)


def test_no_texts_get_no_answers_and_unknown_words_get_one() -> None:
    assert _predictor().predict([]) == []
    assert _predictor().predict(["omega"])[0].scores == pytest.approx(
        dict.fromkeys(LABELS, 1 / 3), abs=1e-6
    )


def test_a_long_text_is_truncated() -> None:
    predictor = _predictor(tokenizer=tiny_onnx.tokenizer(max_length=2))
    assert predictor.predict(["alpha alpha beta beta beta"])[0].label == expected("alpha", turns=0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"encoder": b"junk"}, "encoder: onnxruntime cannot load it"),
        ({"head": b""}, "head: onnxruntime cannot load it"),
        ({"encoder": tiny_onnx.encoder()[:-20]}, "encoder: onnxruntime cannot load it"),
        (
            {"encoder": tiny_onnx.encoder(output="pooled")},
            "not \\['attention_mask', 'input_ids'\\]",
        ),
        ({"head": tiny_onnx.encoder()}, "head: its graph maps"),
        ({"tokenizer": b"{}"}, "tokenizer: it cannot be read"),
        ({"tokenizer": b"\xff\x00"}, "tokenizer: it cannot be read"),
        ({"tokenizer": tiny_onnx.tokenizer(max_length=None)}, "sets no truncation"),
        ({"labels": LABELS[:2]}, "3 classes, but the version has 2 labels"),
        ({"head": tiny_onnx.head(num_labels=4)}, "4 classes, but the version has 3 labels"),
        ({"head": tiny_onnx.head(num_features=7)}, "fails on inputs"),
        ({"head": tiny_onnx.unnormalised_head()}, "not to one"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ArtifactRefusedError, match=message):
        _predictor(**changed).warm_up()


def test_scores_that_are_not_finite_are_an_error() -> None:
    predictor = _predictor()
    predictor.extractor.features = (  # type: ignore[method-assign]
        lambda texts: np.full((len(texts), 3), np.nan, dtype=np.float32)
    )
    with pytest.raises(NotFiniteError, match="version 0"):
        predictor.predict(["alpha"])


def test_cuda_is_asked_for_only_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.onnx_session.cuda_works", lambda: False)
    assert providers_for("auto") == ["CPUExecutionProvider"]
    with pytest.raises(ConfigError, match="cuda"):
        providers_for("cuda")
    monkeypatch.setattr("model.onnx_session.cuda_works", lambda: True)
    assert providers_for("auto") == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert providers_for("cpu") == ["CPUExecutionProvider"]


@pytest.fixture
def store() -> ArtifactStore:
    return ArtifactStore("memory:///")


def test_versions_of_one_encoder_share_it_and_free_it_with_the_last(store: ArtifactStore) -> None:
    loader = PredictorLoader(store, device="cpu", threads=1)
    first = loader.load(tiny_onnx.store_version(store, 1))
    second = loader.load(tiny_onnx.store_version(store, 2, head_turn=1))
    other = loader.load(tiny_onnx.store_version(store, 3, encoder_turn=1))
    assert first.extractor is second.extractor is not other.extractor
    assert [p.predict(["beta"])[0].label for p in (first, second, other)] == [
        expected("beta", turns=turns) for turns in (0, 1, 1)
    ]
    alive: weakref.ref[FeatureExtractor] = weakref.ref(first.extractor)
    del first
    assert alive() is not None
    del second
    assert alive() is None


@pytest.mark.parametrize("part", ["encoder", "tokenizer", "head"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "tampered"])
def test_a_damaged_file_is_refused(store: ArtifactStore, part: str, damage: str) -> None:
    version = tiny_onnx.store_version(store, 1)
    path = getattr(version, part).path
    data = store.get(path)
    if damage == "missing":
        store.delete(path)
    elif damage == "truncated":
        store.put(path, data[:-1])
    else:
        store.put(path, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(FreshetError) as caught:
        PredictorLoader(store, device="cpu", threads=1).load(version)
    assert isinstance(caught.value, ArtifactRefusedError)
    assert path in str(caught.value)


def test_serving_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, model.predictor_loader, model.artifact_cache\n"
        "print([m for m in ('torch', 'transformers', 'onnx', 'kafka') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
