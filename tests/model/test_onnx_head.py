"""The graph of a head: a softmax at a temperature, with the digits that count."""

from dataclasses import replace

import numpy as np
import onnxruntime

from model.head import solve_discriminant
from model.onnx_export import head_graph
from model.statistics import Statistics
from tests.model.exported import Head


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
