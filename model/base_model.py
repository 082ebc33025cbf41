"""Finds base models and takes from transformers what an encoder needs of them.

Everything that knows transformers' habits is here: its poolers, its notes on the console, and where
an architecture keeps its position limit.
"""

import importlib.metadata
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from tokenizers import Tokenizer
from torch import nn

from model.errors import ConfigError

_PACKAGED = "packaged:"


def resolve_base_model(name: str) -> str:
    """A folder or a Hugging Face id: `packaged:NAME` is the folder inside an installed package.

    The package is not imported; its model is the folder that holds both files of a transformer.

    Raises:
        ConfigError: the package is not installed or holds no model.
    """
    if not name.startswith(_PACKAGED):
        return name
    package = name.removeprefix(_PACKAGED)
    try:
        files = importlib.metadata.distribution(package).files or []
    except importlib.metadata.PackageNotFoundError as error:
        msg = (
            f"base_model is {name!r}, but no package {package!r} is installed "
            "(the extra `train` installs the default one)"
        )
        raise ConfigError(msg) from error
    for file in files:
        folder = Path(str(file.locate())).parent
        if file.name == "model.safetensors" and (folder / "config.json").is_file():
            return str(folder)
    msg = f"base_model is {name!r}, but the package {package!r} holds no model.safetensors"
    raise ConfigError(msg)


def empty_transformer(architecture_json: str) -> nn.Module:
    """The transformer of a `config.json` with weights that mean nothing, without its pooler."""
    settings = json.loads(architecture_json)
    config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
    with _quiet(), torch.random.fork_rng(devices=[]):
        model = transformers.AutoModel.from_config(  # type: ignore[no-untyped-call]
            config, dtype=torch.float32
        )
    return _without_pooler(model)


def load_pretrained(where: str) -> tuple[nn.Module, Any]:
    """The transformer without its pooler, in float32, and its tokenizer.

    Raises:
        ConfigError: there is none, it cannot be fetched, or it is not an encoder.
    """
    try:
        with _quiet():
            model = transformers.AutoModel.from_pretrained(where, dtype=torch.float32)
            tokenizer = transformers.AutoTokenizer.from_pretrained(where)
    except (OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        msg = f"base_model {where!r}: no folder with a model, nor one that can be fetched: {first}"
        raise ConfigError(msg) from error
    if model.config.is_encoder_decoder or not getattr(tokenizer, "is_fast", False):
        msg = f"base_model {where!r} has a decoder or no fast tokenizer; take one that fits"
        raise ConfigError(msg)
    return _without_pooler(model), tokenizer


def _without_pooler(model: Any) -> nn.Module:
    """Drop the untrained layer over the first token: features are pooled by `pool`."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return cast("nn.Module", model)


def position_limit(transformer: nn.Module, tokenizer: Any) -> int:
    """The most tokens, special ones included, that both can take."""
    limit = int(min(tokenizer.model_max_length, 2**31))
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith(("position_embeddings", "wpe")):
            # RoBERTa counts positions from after its padding index.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            limit = min(limit, module.num_embeddings - unused)
    return limit


def tokenizer_json(tokenizer: Any, max_tokens: int) -> str:
    """A `tokenizer.json` that truncates at `max_tokens` and does not pad."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.enable_truncation(max_length=max_tokens)
    backend.no_padding()
    return backend.to_str()


def architecture_json(transformer: nn.Module) -> str:
    """A `config.json` without what changes while the architecture stays."""
    settings = cast("Any", transformer).config.to_dict()
    for volatile in ("_name_or_path", "transformers_version", "dtype", "torch_dtype"):
        settings.pop(volatile, None)
    return json.dumps(settings, sort_keys=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and notes about unused weights out of the logs."""
    log: Any = transformers.utils.logging
    verbosity, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bar:
            log.enable_progress_bar()
