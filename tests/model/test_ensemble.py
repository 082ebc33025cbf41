"""Several versions in one graph: what it says is what torch says of their mean."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.encoder import Encoder
from model.ensemble import (
    Member,
    ensemble_head,
    ensemble_scores,
    joined,
    mean_scores,
    merged_encoder,
)
from model.errors import ParityError
from model.head import LinearHead, solve_discriminant
from model.onnx_export import ExportError, Template, encoder_graph, export_template, head_graph
from model.predictor import Predictor
from model.standalone import prove
from model.statistics import Statistics
from tests.model.tiny import labeled_texts

TEXTS = labeled_texts(24)[0]


@pytest.fixture(scope="module")
def template(encoder: Encoder) -> Template:
    return export_template(encoder)


@pytest.fixture(scope="module")
def members(encoder: Encoder) -> list[Member]:
    """Four labels on projected features, three labels, and two: each another encoder."""
    return [
        Member(7, _moved(encoder, seed=1), _head(encoder, 4, seed=1, projected=20)),
        Member(4, _moved(encoder, seed=2), _head(encoder, 3, seed=2)),
        Member(1, encoder, _head(encoder, 2, seed=3)),
    ]


def _moved(encoder: Encoder, *, seed: int) -> Encoder:
    other = encoder.clone()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return other


def _head(encoder: Encoder, num_labels: int, *, seed: int, projected: int = 0) -> LinearHead:
    rng = np.random.default_rng(seed)
    labels = np.arange(200) % num_labels
    centres = rng.normal(size=(num_labels, encoder.dim))
    features = (centres[labels] + rng.normal(size=(200, encoder.dim))).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    stats = Statistics.of(features, labels, num_labels=num_labels, projected=projected)
    return solve_discriminant(stats, shrinkage=0.3)


def _pair(members: list[Member], template: Template) -> tuple[bytes, bytes]:
    graphs = [encoder_graph(template, member.encoder) for member in members]
    return merged_encoder(graphs), ensemble_head([member.head for member in members])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_pair_serves_as_any_version_does(
    members: list[Member], template: Template, count: int
) -> None:
    """A follower needs to know nothing of ensembles."""
    chosen = members[:count]
    encoder, head = _pair(chosen, template)
    tokenizer = members[0].encoder.tokenizer_json.encode()
    labels = ["a", "b", "c", "d"]
    predictor = Predictor.from_bytes(
        encoder=encoder, tokenizer=tokenizer, head=head, labels=labels, threads=1
    )
    predictor.warm_up()
    expected = ensemble_scores(chosen, TEXTS)
    np.testing.assert_allclose(predictor.scores(TEXTS), expected, atol=1e-5)
    assert predictor.extractor.width == count * members[0].encoder.dim


def test_one_graph_maps_token_ids_to_scores(members: list[Member], template: Template) -> None:
    graph = joined(*_pair(members, template))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["input_ids", "attention_mask"]
    assert [(each.name, each.shape) for each in session.get_outputs()] == [("scores", ["batch", 4])]
    assert prove(graph, members, TEXTS, threads=1) < 1e-5


def test_a_single_version_is_one_graph_too(members: list[Member], template: Template) -> None:
    head = members[0].head
    graph = joined(
        encoder_graph(template, members[0].encoder),
        head_graph(head.weight, head.bias, head.temperature, projection=head.projection),
    )
    assert prove(graph, members[:1], TEXTS, threads=1) < 1e-5


def test_a_member_too_few_fails_the_proof(members: list[Member], template: Template) -> None:
    graph = joined(*_pair(members, template))
    with pytest.raises(ParityError, match="differ by"):
        prove(graph, members[:2], TEXTS[:3], threads=1)


def test_the_order_of_older_members_means_nothing(members: list[Member]) -> None:
    turned = [members[0], members[2], members[1]]
    np.testing.assert_allclose(
        ensemble_scores(turned, TEXTS), ensemble_scores(members, TEXTS), atol=1e-12
    )


def test_an_ensemble_of_equal_members_is_the_member(members: list[Member]) -> None:
    alone, twice = ensemble_scores(members[:1], TEXTS), ensemble_scores([members[0]] * 2, TEXTS)
    np.testing.assert_allclose(twice, alone, atol=1e-12)


def _distributions(count: int, num_labels: int) -> st.SearchStrategy[np.ndarray]:
    positive = st.floats(0.001, 1.0)
    raw = arrays(np.float64, (count, num_labels), elements=positive)
    return raw.map(lambda rows: rows / rows.sum(axis=1, keepdims=True))


@given(_distributions(5, 4), _distributions(5, 4), _distributions(5, 2))
@settings(deadline=None, max_examples=50)
def test_the_mean_is_a_distribution_that_leaves_unknown_labels_to_who_knows_them(
    newest: np.ndarray, same: np.ndarray, older: np.ndarray
) -> None:
    mean = mean_scores([newest, older])
    np.testing.assert_allclose(mean.sum(axis=1), 1.0)
    np.testing.assert_allclose(mean[:, 2:], newest[:, 2:])
    np.testing.assert_allclose(mean_scores([newest, same]), (newest + same) / 2)


def test_an_older_head_with_more_labels_is_refused(members: list[Member]) -> None:
    with pytest.raises(ValueError, match=r"\[2, 4\] labels"):
        ensemble_head([members[2].head, members[0].head])


def test_graphs_of_two_exporters_are_refused(members: list[Member], template: Template) -> None:
    graphs = [encoder_graph(template, member.encoder) for member in members]
    other = onnx.ModelProto.FromString(graphs[0])
    other.opset_import[0].version -= 1
    with pytest.raises(ExportError, match="several versions of ONNX"):
        merged_encoder([graphs[0], other.SerializeToString()])


def test_more_weights_than_a_file_holds_are_refused(
    members: list[Member], template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = [encoder_graph(template, member.encoder) for member in members]
    monkeypatch.setattr("model.ensemble.MOST_WEIGHT_BYTES", len(graphs[0]))
    with pytest.raises(ExportError, match="protobuf ends at 2 GiB"):
        merged_encoder(graphs)
