"""What the tests of the export share: texts, a head in float64, an encoder of other weights."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from model.encoder import Encoder
from model.onnx_export import head_graph
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
        """One whose weights lie around `shift`."""
        generator = np.random.default_rng(0)
        weight = size * generator.standard_normal((num_labels, dim)) + shift
        return cls(weight, generator.standard_normal(num_labels))

    def scores(self, features: NDArray[np.float32], /) -> NDArray[np.float64]:
        """(N, C), of features (N, D)."""
        logits = features.astype(np.float64) @ self.weight.T + self.bias
        scores: NDArray[np.float64] = softmax(logits / self.temperature, axis=1)
        return scores

    def graph(self) -> bytes:
        """The head as it is exported."""
        return head_graph(self.weight, self.bias, self.temperature)


def randomised(encoder: Encoder) -> Encoder:
    """The encoder with other weights, biases and norms too."""
    other = encoder.clone()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return other
