"""One vector a text, blind to padding, of the layers that are asked for."""

import pytest
import torch

from model.pooling import lower_layer, pool


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_pooling_never_looks_at_padding(pooling: str) -> None:
    states = torch.tensor([[[1.0], [2.0], [6.0], [100.0]]])
    mask = torch.tensor([[1, 1, 1, 0]])
    expected = {"mean": 3.0, "cls": 1.0, "last": 6.0}[pooling]
    assert pool(states, mask, pooling).tolist() == [[expected]]  # type: ignore[arg-type]


@pytest.mark.parametrize(("layers", "below"), [(1, 1), (2, 1), (3, 2), (6, 4), (12, 8)])
def test_the_lower_layer_lies_two_thirds_up(layers: int, below: int) -> None:
    assert lower_layer(layers) == below
