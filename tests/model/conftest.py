"""The tiny encoder that the tests of learning share."""

from pathlib import Path

import pytest
import torch

from model.encoder import Encoder
from model.onnx_export import ParityProver, Template, encoder_graph, export_template
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


@pytest.fixture(scope="session")
def template(encoder: Encoder) -> Template:
    """That model's, exported once."""
    return export_template(encoder)


@pytest.fixture(scope="session")
def prover(encoder: Encoder, template: Template) -> ParityProver:
    """Over that model's graph."""
    return ParityProver(encoder_graph(template, encoder), encoder.tokenizer_json, threads=1)
