"""Fits a part of an encoder: its last layers, or low-rank adapters that are merged at the end."""

from typing import Any, cast

from torch import nn
from transformers.pytorch_utils import Conv1D

from model.encoder import Encoder
from model.errors import ConfigError
from model.pooling import Pooled


def num_layers(module: Pooled) -> int:
    """Layers of the transformer's stack; 0 where it has none."""
    return len(_stack(module))


def freeze_layers(module: Pooled, count: int, *, trained: int | None = None) -> None:
    """Freeze the lowest layers and the embeddings below; the last layer is always fitted.

    Args:
        module: whose parameters are frozen.
        count: lowest layers to freeze; 0 freezes nothing, the embeddings neither.
        trained: last layers that stay; all below are frozen, and at least `count`.

    Raises:
        ConfigError: the transformer has no stack of layers.
    """
    if not count and trained is None:
        return
    layers = _stack(module)
    if not layers:
        msg = f"frozen_layers is {count}, trained_layers {trained}, but the encoder has no layers"
        raise ConfigError(msg)
    kept_from = max(count, 0 if trained is None else len(layers) - trained)
    if not kept_from:
        return
    fitted = {
        id(each)
        for layer in layers[min(kept_from, len(layers) - 1) :]
        for each in layer.parameters()
    }
    stacked = {id(each) for each in layers.parameters()}
    above = False
    for parameter in module.transformer.parameters():
        # Parameters come in the order of the passes: what follows the stack lies above it.
        above = above or id(parameter) in stacked
        kept = id(parameter) in fitted or (above and id(parameter) not in stacked)
        parameter.requires_grad_(kept)


def add_adapters(encoder: Encoder, rank: int) -> None:
    """Put low-rank adapters on every linear layer that is not frozen; only they are fitted.

    `W + (2 r / r) B A` with A (r, in) random and B (out, r) zero (Hu et al. 2022, "LoRA", eq. 3),
    so that the fit starts at the encoder, which is changed in place.

    Raises:
        ConfigError: peft is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"lora_rank is {rank}, but peft is not installed") from error
    transformer = cast("Any", encoder.module.transformer)
    fitted = [
        name
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module.weight.requires_grad
    ]
    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=fitted)
    encoder.module.transformer = get_peft_model(transformer, settings)


def merge_adapters(encoder: Encoder) -> None:
    """Add what the adapters learned to the weights, and take them off, in place."""
    encoder.module.transformer = cast("Any", encoder.module.transformer).merge_and_unload()


def _stack(module: Pooled) -> nn.ModuleList:
    stacks = [each for each in module.transformer.modules() if isinstance(each, nn.ModuleList)]
    return max(stacks, key=len, default=nn.ModuleList())
