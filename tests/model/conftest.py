"""The tiny encoder that the tests of learning share."""

from pathlib import Path

import pytest
import torch

from model.encoder import Encoder
from tests.model.tiny import tiny_encoder, write_tiny_encoder


@pytest.fixture(scope="session")
def tiny_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model on disk: a random BERT, 2 layers, 32 wide, 64 positions."""
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """That model, loaded; nothing may change it, which `test_fit` holds `fit_encoder` to."""
    torch.set_num_threads(1)  # a tiny matrix is no work for two
    return tiny_encoder(tmp_path_factory.mktemp("tiny") / "loaded")
