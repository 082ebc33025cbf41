"""A card computes what a processor computes: features, fits, and the files that come of them.

`FRESHET_DEVICE=cuda pytest tests/model` runs every other test of learning on the card too.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.config import EncoderConfig, FitConfig
from model.device import environment_of, resolve_device
from model.encoder import Encoder
from model.fit import Refitted, fit_encoder
from model.onnx_export import ParityProver, encoder_graph, export_template
from tests.model.tiny import LABELS, labeled_texts, write_tiny_encoder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

TEXTS, TARGETS = labeled_texts(96)
FIT = FitConfig(epochs=3, learning_rate=1e-3, head_learning_rate=1e-2, precision="float32")


@pytest.fixture
def on_cpu(encoder: Encoder) -> Encoder:
    return Encoder.from_files(encoder.files(), config=EncoderConfig(), device="cpu")


@pytest.fixture
def on_card(encoder: Encoder) -> Encoder:
    return Encoder.from_files(encoder.files(), config=EncoderConfig(), device="cuda")


def _fit(encoder: Encoder, **changes: object) -> Refitted:
    config = FIT.model_copy(update=changes)
    return fit_encoder(encoder, TEXTS, TARGETS, len(LABELS), config=config, seed=1)


def _accuracy(done: Refitted) -> float:
    answers = done.head.predict(done.encoder.features(TEXTS))
    return float((answers == np.array(TARGETS)).mean())


def test_the_card_is_taken_where_nothing_is_asked_for() -> None:
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda")
    assert torch.cuda.get_device_name() in environment_of(torch.device("cuda")).device


def test_features_are_those_of_the_processor(on_cpu: Encoder, on_card: Encoder) -> None:
    assert on_card.device.type == "cuda"
    np.testing.assert_allclose(on_card.features(TEXTS), on_cpu.features(TEXTS), atol=1e-5)
    assert on_card.digest == on_cpu.digest


def test_a_fit_ends_where_the_processors_ends(on_cpu: Encoder, on_card: Encoder) -> None:
    there, here = _fit(on_card), _fit(on_cpu)
    np.testing.assert_allclose(there.report.losses, here.report.losses, rtol=1e-2)
    found, expected = there.encoder.features(TEXTS), here.encoder.features(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert _accuracy(there) == pytest.approx(_accuracy(here), abs=0.03)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_the_same_seed_gives_the_same_weights_bit_by_bit(
    precision: str, dropout: float, on_card: Encoder
) -> None:
    _assert_same(*(_fit(on_card, precision=precision, dropout=dropout) for _ in range(2)))


def test_so_it_does_on_texts_longer_than_a_block_of_keys(tmp_path: Path) -> None:
    """There fused attention adds up in an order of its own."""
    base = write_tiny_encoder(tmp_path / "base", positions=512)
    config = EncoderConfig(base_model=str(base), max_tokens=512)
    encoder = Encoder.load(base, config=config, device="cuda")
    long = [f"{text} " * 30 for text in TEXTS]
    assert max(map(len, encoder.tokenize(long))) > 256
    fits = (fit_encoder(encoder, long, TARGETS, len(LABELS), config=FIT, seed=1) for _ in range(2))
    _assert_same(*fits)


def _assert_same(first: Refitted, second: Refitted) -> None:
    assert first.encoder.files() == second.encoder.files()
    assert first.head.to_bytes() == second.head.to_bytes()


def test_bfloat16_learns_as_well(on_card: Encoder) -> None:
    assert _accuracy(_fit(on_card, precision="bfloat16")) >= _accuracy(_fit(on_card)) - 0.05


def test_what_the_card_fitted_answers_alike_under_onnx(on_card: Encoder) -> None:
    fitted = _fit(on_card).encoder
    graph = encoder_graph(export_template(fitted), fitted)
    found = ParityProver(graph, fitted.tokenizer_json, threads=1).features(TEXTS)
    np.testing.assert_allclose(found, fitted.features(TEXTS), atol=1e-5)


def test_a_fit_leaves_the_generator_of_the_card_alone(on_card: Encoder) -> None:
    torch.cuda.manual_seed(7)
    expected = torch.rand(3, device="cuda")
    torch.cuda.manual_seed(7)
    _fit(on_card, dropout=0.1)
    assert torch.equal(torch.rand(3, device="cuda"), expected)
