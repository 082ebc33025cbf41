"""Export: one template an architecture, weights written in, and a proof that can fail."""

import errno
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from model.config import PACKAGED_ENCODER, EncoderConfig
from model.encoder import Encoder, Pooled
from model.errors import ParityError
from model.head import solve_discriminant
from model.onnx_export import (
    ExportError,
    ParityProver,
    Template,
    encoder_graph,
    export_template,
    head_graph,
    load_template,
)
from model.statistics import Statistics
from tests.model.tiny import labeled_texts

TEXTS = labeled_texts(24)[0]


@dataclass(frozen=True)
class Head:
    """A linear head in float64: what a solved one computes."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    temperature: float = 0.7

    @classmethod
    def random(cls, num_labels: int, dim: int, *, size: float = 5.0, shift: float = 0.0) -> "Head":
        generator = np.random.default_rng(0)
        weight = size * generator.standard_normal((num_labels, dim)) + shift
        return cls(weight, generator.standard_normal(num_labels))

    def scores(self, features: NDArray[np.float32], /) -> NDArray[np.float64]:
        logits = features.astype(np.float64) @ self.weight.T + self.bias
        scores: NDArray[np.float64] = softmax(logits / self.temperature, axis=1)
        return scores

    def graph(self) -> bytes:
        return head_graph(self.weight, self.bias, self.temperature)


@pytest.fixture(scope="module")
def template(encoder: Encoder) -> Template:
    return export_template(encoder)


@pytest.fixture(scope="module")
def prover(encoder: Encoder, template: Template) -> ParityProver:
    return ParityProver(encoder_graph(template, encoder), encoder.tokenizer_json, threads=1)


def _randomised(encoder: Encoder) -> Encoder:
    other = encoder.clone()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return other


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
    other = _randomised(encoder)
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


def test_a_template_is_exported_once_and_read_from_the_cache_after(
    encoder: Encoder, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports: list[Encoder] = []

    def export(given: Encoder) -> Template:
        exports.append(given)
        return template

    monkeypatch.setattr("model.onnx_template.export_template", export)
    first = load_template(encoder, tmp_path)
    again = load_template(_randomised(encoder), tmp_path)
    assert len(exports) == 1
    assert again == first == template
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cache_that_is_full_or_damaged_costs_an_export_and_nothing_else(
    encoder: Encoder, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.onnx_template.export_template", lambda _: template)
    write, full = Path.write_bytes, tmp_path / "full"

    def no_room(path: Path, data: bytes) -> int:
        write(path, data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", no_room)
        assert load_template(encoder, full) == template
    assert not list(full.iterdir())

    load_template(encoder, tmp_path)
    [kept] = tmp_path.glob("*.onnx")
    whole = kept.read_bytes()
    for damaged in (b"", whole[:-1], whole[: len(whole) // 2], b"no protobuf at all"):
        kept.write_bytes(damaged)
        assert load_template(encoder, tmp_path) == template
        assert kept.read_bytes() == whole


def test_a_template_holds_no_weights_and_no_paths(template: Template) -> None:
    assert b"site-packages" not in template.graph
    model = onnx.ModelProto.FromString(template.graph)
    bound = [each for each in model.graph.initializer if each.name in template.bindings]
    assert len(bound) == len(template.bindings)
    assert not any(each.raw_data for each in bound)


def test_the_export_writes_nothing_to_the_console(
    encoder: Encoder, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    export_template(encoder)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_a_parameter_that_is_not_in_the_graph_is_an_error(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformer = encoder.clone().module.transformer
    transformer.register_parameter("idle", torch.nn.Parameter(torch.ones(3)))
    monkeypatch.setattr("model.onnx_template.empty_transformer", lambda _: transformer)
    with pytest.raises(ExportError, match="1 parameters are not in the exported graph: idle"):
        export_template(encoder)


def test_a_template_of_another_architecture_is_refused(
    encoder: Encoder, template: Template
) -> None:
    other = encoder.clone()
    other.module = Pooled(torch.nn.Linear(2, 2), "mean")
    with pytest.raises(ExportError, match="no parameter"):
        encoder_graph(template, other)


def test_a_label_without_records_costs_the_others_no_digits() -> None:
    """It lies 10^4 below them; a ridge's temperature makes each lost digit ten times as large."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 6)).astype(np.float32)
    stats = Statistics.of(features, rng.integers(0, 2, 60), num_labels=3)
    head = replace(solve_discriminant(stats, shrinkage=0.3), temperature=0.05)
    graph = head_graph(head.weight, head.bias, head.temperature)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(["scores"], {"features": features})[0]
    np.testing.assert_allclose(found, head.scores(features), atol=1e-5)


def test_the_head_graph_is_a_softmax_at_a_temperature() -> None:
    head = Head.random(4, 6)
    features = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)
    session = onnxruntime.InferenceSession(head.graph(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"features": features})
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, head.scores(features), atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-6)
    assert len(head.graph()) < 1000


def test_what_all_labels_share_costs_no_digits() -> None:
    """A discriminant's weights have a large common part, which the softmax does not see."""
    head = Head.random(3, 32, size=1.0, shift=1e6)
    features = np.random.default_rng(1).standard_normal((50, 32)).astype(np.float32)
    session = onnxruntime.InferenceSession(head.graph(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"features": features})
    np.testing.assert_allclose(scores, head.scores(features), atol=1e-5)


def test_parity_is_proven_on_the_pair(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    assert prover.prove(encoder, head, head.graph(), TEXTS) < 1e-5


def test_parity_is_proven_without_any_held_out_text(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    assert prover.prove(encoder, head, head.graph(), []) < 1e-5


def test_a_projected_head_carries_its_projection_and_is_proven(
    encoder: Encoder, prover: ParityProver
) -> None:
    features = encoder.features(TEXTS)
    stats = Statistics.of(features, np.arange(len(TEXTS)) % 3, num_labels=3, projected=50)
    head = solve_discriminant(stats, shrinkage=0.3)
    graph = head_graph(head.weight, head.bias, head.temperature, projection=head.projection)
    assert prover.prove(encoder, head, graph, TEXTS) < 1e-4
    assert len(graph) < 2 * encoder.dim * 50 + 4 * 3 * (encoder.dim + 50) + 1500


def test_another_head_fails_the_proof(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    wrong = Head(head.weight + 0.1, head.bias + np.array([0.0, 0.1, 0.0]))
    with pytest.raises(ParityError) as caught:
        prover.prove(encoder, head, wrong.graph(), TEXTS)
    assert caught.value.largest > 1e-3


def test_another_encoder_fails_the_proof(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    with pytest.raises(ParityError):
        prover.prove(_randomised(encoder), head, head.graph(), TEXTS)


def test_another_number_of_labels_fails_the_proof(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    with pytest.raises(ParityError, match="4 classes"):
        prover.prove(encoder, head, Head.random(4, encoder.dim).graph(), TEXTS)


def test_scores_that_are_not_numbers_fail_the_proof(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    broken = Head(head.weight * np.nan, head.bias)
    with pytest.raises(ParityError, match="not finite"):
        prover.prove(encoder, head, broken.graph(), TEXTS)


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
