"""A fit on the embeddings of its own texts alone is the fit on all of them."""

import numpy as np
import pytest
import torch

from model.adapters import freeze_layers
from model.config import FitConfig
from model.encoder import Encoder
from model.fit import fit_encoder
from model.methods import Selection
from model.vocabulary import narrowed, widened
from tests.model.tiny import labeled_texts

TEXTS, TARGETS = labeled_texts(24)


def test_a_narrow_encoder_gives_the_same_features(encoder: Encoder) -> None:
    narrow = narrowed(encoder, TEXTS[:5])
    np.testing.assert_array_equal(narrow.features(TEXTS[:5]), encoder.features(TEXTS[:5]))
    assert narrow.tokens is not None
    assert len(narrow.tokens) < 60


def test_what_was_narrow_is_whole_again(encoder: Encoder) -> None:
    assert widened(narrowed(encoder, TEXTS[:5]), encoder).files() == encoder.files()


def test_a_fit_moves_no_embedding_of_a_token_that_it_has_not_met(encoder: Encoder) -> None:
    done = fit_encoder(encoder, TEXTS[:5], TARGETS[:5], 3, config=FitConfig(), seed=1)
    met = {token for row in encoder.tokenize(TEXTS[:5]) for token in row}
    name = "transformer.embeddings.word_embeddings.weight"
    before, after = encoder.module.state_dict()[name], done.encoder.module.state_dict()[name]
    moved = set((before != after).any(dim=1).nonzero().flatten().tolist())
    assert moved <= met
    assert moved


def test_frozen_layers_stay_and_the_last_is_always_fitted(encoder: Encoder) -> None:
    config = FitConfig(frozen_layers=9, learning_rate=1e-2)
    done = fit_encoder(encoder, TEXTS, TARGETS, 3, config=config, seed=1)
    before = dict(encoder.module.named_parameters())
    for name, after in done.encoder.module.named_parameters():
        if "embeddings" in name or "layer.0" in name:
            assert torch.equal(after, before[name]), name
    last = "transformer.encoder.layer.1.output.dense.weight"
    assert not torch.equal(done.encoder.module.state_dict()[last], before[last])
    assert all(each.requires_grad for each in done.encoder.module.parameters())


def test_no_frozen_layer_freezes_nothing(encoder: Encoder) -> None:
    module = encoder.clone().module
    freeze_layers(module, 0)
    assert all(each.requires_grad for each in module.parameters())


def test_a_fit_that_gains_nothing_stops_early(encoder: Encoder) -> None:
    """At a learning rate of nearly nothing the second epoch is no better than the first."""
    config = FitConfig(epochs=9, early_stop=1, learning_rate=1e-30, head_learning_rate=1e-30)
    done = fit_encoder(
        encoder,
        TEXTS,
        TARGETS,
        3,
        config=config,
        seed=1,
        selection=Selection(TEXTS[:6], np.array(TARGETS[:6])),
    )
    assert done.report.sample_steps == 48


def test_adapters_are_merged_into_an_encoder_like_any_other(encoder: Encoder) -> None:
    pytest.importorskip("peft")
    config = FitConfig(lora_rank=4, learning_rate=1e-2)
    done = fit_encoder(encoder, TEXTS, TARGETS, 3, config=config, seed=1)
    assert done.encoder.files().keys() == encoder.files().keys()
    before, after = encoder.module.state_dict(), done.encoder.module.state_dict()
    assert before.keys() == after.keys()
    name = "transformer.encoder.layer.0.attention.self.query.weight"
    change = (after[name] - before[name]).detach()
    assert 0 < int(torch.linalg.matrix_rank(change, rtol=1e-3)) <= 4
    assert torch.equal(
        after["transformer.encoder.layer.0.output.dense.bias"],
        before["transformer.encoder.layer.0.output.dense.bias"],
    )
