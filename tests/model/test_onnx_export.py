"""The graph of an encoder: torch's features on both axes, whatever weights go into the template."""

import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from model.config import PACKAGED_ENCODER, EncoderConfig
from model.encoder import Encoder
from model.onnx_export import (
    ExportError,
    ParityProver,
    Template,
    encoder_graph,
    load_template,
)
from model.pooling import Pooled
from tests.model.exported import TEXTS, Head, randomised


def test_the_graph_gives_torchs_features(encoder: Encoder, prover: ParityProver) -> None:
    np.testing.assert_allclose(prover.features(TEXTS), encoder.features(TEXTS), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 64), (2, 8), (5, 3), (3, 64)])
def test_both_axes_are_dynamic(
    encoder: Encoder, template: Template, shape: tuple[int, int]
) -> None:
    session = onnxruntime.InferenceSession(
        encoder_graph(template, encoder), providers=["CPUExecutionProvider"]
    )
    ids = np.random.default_rng(0).integers(5, 100, size=shape)
    mask = np.ones_like(ids)
    mask[0, (shape[1] + 1) // 2 :] = 0
    (found,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    with torch.inference_mode():
        expected = encoder.module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_graph_is_blind_to_what_stands_in_the_padding(
    encoder: Encoder, template: Template
) -> None:
    session = onnxruntime.InferenceSession(
        encoder_graph(template, encoder), providers=["CPUExecutionProvider"]
    )
    ids = np.array([[2, 9, 8, 3, 0, 0]])
    mask = np.array([[1, 1, 1, 1, 0, 0]])
    (padded,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    ids[0, 4:] = 50
    (filled,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    (short,) = session.run(None, {"input_ids": ids[:, :4], "attention_mask": mask[:, :4]})
    np.testing.assert_allclose(padded, filled, atol=1e-6)
    np.testing.assert_allclose(padded, short, atol=1e-6)


def test_other_weights_go_into_the_same_template(encoder: Encoder, template: Template) -> None:
    """Biases and norms too, which are equal in a fresh model."""
    other = randomised(encoder)
    found = ParityProver(encoder_graph(template, other), other.tokenizer_json, threads=1)
    np.testing.assert_allclose(found.features(TEXTS), other.features(TEXTS), atol=1e-6)
    assert np.abs(other.features(TEXTS) - encoder.features(TEXTS)).max() > 0.01


def test_equal_weights_give_an_equal_graph(encoder: Encoder, template: Template) -> None:
    assert encoder_graph(template, encoder) == encoder_graph(template, encoder.clone())


@pytest.mark.parametrize("pooling", ["layers", "cls", "last"])
def test_every_pooling_is_in_the_graph(encoder: Encoder, tmp_path: Path, pooling: str) -> None:
    files = encoder.files()
    files["encoder.json"] = files["encoder.json"].replace(b'"mean"', f'"{pooling}"'.encode())
    other = Encoder.from_files(files, config=EncoderConfig(), device="cpu")
    graph = encoder_graph(load_template(other, tmp_path), other)
    found = ParityProver(graph, other.tokenizer_json, threads=1).features(TEXTS)
    np.testing.assert_allclose(found, other.features(TEXTS), atol=1e-6)


def test_a_template_of_another_architecture_is_refused(
    encoder: Encoder, template: Template
) -> None:
    other = encoder.clone()
    other.module = Pooled(torch.nn.Linear(2, 2), "mean")
    with pytest.raises(ExportError, match="no parameter"):
        encoder_graph(template, other)


@pytest.mark.timeout(300)
def test_the_packaged_model_is_exported_once_and_rewritten_fast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every parameter of MiniLM finds its place, and a second version costs under a second."""
    torch.set_num_threads(2)
    encoder = Encoder.load(PACKAGED_ENCODER, config=EncoderConfig(), device="cpu")
    seconds = {}
    started = time.perf_counter()
    load_template(encoder, tmp_path)
    seconds["export"] = time.perf_counter() - started
    # Processor time: other processes on the machine must not fail the test.
    started = time.process_time()
    graph = encoder_graph(load_template(encoder, tmp_path), encoder)
    seconds["rewrite"] = time.process_time() - started
    prover = ParityProver(graph, encoder.tokenizer_json, threads=2)
    head = Head.random(3, encoder.dim)
    started = time.perf_counter()
    largest = prover.prove(encoder, head, head.graph(), ["profit " * 300, "sales rose", *TEXTS[:8]])
    seconds["prove"] = time.perf_counter() - started
    assert largest < 1e-4
    assert seconds["rewrite"] < 2.0
    alone = prover.features(["sales rose"])
    np.testing.assert_allclose(alone, encoder.features(["sales rose"]), atol=1e-5)
    with capsys.disabled():
        print("\nMiniLM:", {name: round(each, 2) for name, each in seconds.items()}, largest)  # noqa: T201
