"""The proof that an exported pair answers as the model does, which can fail."""

import numpy as np
import pytest

from model.encoder import Encoder
from model.errors import ParityError
from model.head import solve_discriminant
from model.onnx_export import ParityProver, head_graph
from model.statistics import Statistics
from tests.model.exported import TEXTS, Head, randomised


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
        prover.prove(randomised(encoder), head, head.graph(), TEXTS)


def test_another_number_of_labels_fails_the_proof(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    with pytest.raises(ParityError, match="4 classes"):
        prover.prove(encoder, head, Head.random(4, encoder.dim).graph(), TEXTS)


def test_scores_that_are_not_numbers_fail_the_proof(encoder: Encoder, prover: ParityProver) -> None:
    head = Head.random(3, encoder.dim)
    broken = Head(head.weight * np.nan, head.bias)
    with pytest.raises(ParityError, match="not finite"):
        prover.prove(encoder, head, broken.graph(), TEXTS)
