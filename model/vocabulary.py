"""An encoder with the embeddings of a few texts only, for the time of a fit.

Half of a small model's parameters are embeddings of tokens that a fit never meets: without them a
step of the optimiser, the gradients and their norm cost half. The gradient of such a row is zero,
so that an optimiser would move it by weight decay alone; that is what is left out.
"""

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from model.encoder import Encoder


def narrowed(encoder: Encoder, texts: Sequence[str]) -> Encoder:
    """A copy that has embeddings for the tokens of these texts alone, and reads no others."""
    wide = _embedding(encoder)
    if type(wide) is not nn.Embedding or encoder.tokens is not None:
        return encoder.clone()
    # Ids up to that of the padding keep their number: some architectures tell padding by it.
    first = range(max(encoder.spec.pad_id, wide.padding_idx or 0) + 1)
    tokens = np.array(sorted({*first}.union(*encoder.tokenize(texts))), dtype=np.int64)
    rows = wide.weight.detach()[torch.from_numpy(tokens).to(wide.weight.device)]
    narrow = nn.Embedding(
        len(tokens), wide.embedding_dim, padding_idx=wide.padding_idx, _weight=rows
    )
    # The copy finds the wide table copied already, as the narrow one.
    module = copy.deepcopy(encoder.module, {id(wide): narrow})
    return encoder.with_module(module, tokens=tokens)


def widened(fitted: Encoder, encoder: Encoder) -> Encoder:
    """What was fitted, with the embeddings of all other tokens as `encoder` has them."""
    if fitted.tokens is None:
        return fitted
    narrow, wide = _embedding(fitted), copy.deepcopy(_embedding(encoder))
    with torch.no_grad():
        wide.weight[torch.from_numpy(fitted.tokens).to(wide.weight.device)] = narrow.weight
    return encoder.with_module(copy.deepcopy(fitted.module, {id(narrow): wide}))


def _embedding(encoder: Encoder) -> nn.Embedding:
    return cast("nn.Embedding", cast("Any", encoder.module.transformer).get_input_embeddings())
