"""Turns texts into features: a transformer, its tokenizer and a pooling as one unit.

The same `Pooled` module is fitted (`model.fit`), exported (`model.onnx_export`) and run here: what
is learned, what is served and what the head is solved on cannot drift apart.
"""

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor

from model.base_model import (
    architecture_json,
    empty_transformer,
    load_pretrained,
    position_limit,
    resolve_base_model,
    tokenizer_json,
)
from model.batching import batches_by_length
from model.config import EncoderConfig, Pooling
from model.device import resolve_device
from model.errors import ArtifactRefusedError, NotFiniteError
from model.onnx_session import Device
from model.pooling import Pooled

Features = NDArray[np.float32]

WEIGHTS = "model.safetensors"
ARCHITECTURE = "config.json"
TOKENIZER = "tokenizer.json"
SPEC = "encoder.json"

MAX_STRETCH = 1.5
"""How far a text is padded in one pass, as a multiple of its own length."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """How token states become features; it is stored beside the weights and part of the digest."""

    pooling: Pooling
    max_tokens: int
    """Special tokens included; never more than the model has positions for."""
    pad_id: int


class Encoder:
    """A pooled transformer with its tokenizer; nothing here changes its weights.

    `load` takes a base model, `from_files` what `files` gave. Fitting works on a `clone`.
    """

    def __init__(
        self,
        module: Pooled,
        *,
        spec: FeatureSpec,
        tokenizer_json: str,
        architecture_json: str,
        batch_tokens: int,
        tokens: NDArray[np.int64] | None = None,
    ) -> None:
        self.module = module.eval()
        self.spec = spec
        self.tokenizer_json = tokenizer_json
        self.architecture_json = architecture_json
        self.batch_tokens = batch_tokens
        self.tokens = tokens
        self._tokenizer = Tokenizer.from_str(tokenizer_json)
        self._digest: str | None = None

    @classmethod
    def load(
        cls, name: str | Path, *, config: EncoderConfig, device: Device | torch.device = "auto"
    ) -> Self:
        """Load a base model by `resolve_base_model`, or a folder that holds `files`.

        Raises:
            ConfigError: there is no such model, or it is not an encoder that can be used here.
        """
        where = resolve_base_model(str(name))
        if (Path(where) / SPEC).is_file():
            return cls.from_files(Path(where), config=config, device=device)
        transformer, tokenizer = load_pretrained(where)
        spec = FeatureSpec(
            pooling=config.pooling,
            max_tokens=min(config.max_tokens, position_limit(transformer, tokenizer)),
            pad_id=tokenizer.pad_token_id or 0,
        )
        return cls(
            Pooled(transformer, spec.pooling).to(_device(device)),
            spec=spec,
            tokenizer_json=tokenizer_json(tokenizer, spec.max_tokens),
            architecture_json=architecture_json(transformer),
            batch_tokens=config.batch_tokens,
        )

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, bytes] | Path,
        *,
        config: EncoderConfig,
        device: Device | torch.device = "auto",
    ) -> Self:
        """Rebuild what `files` gave; of `config` only `batch_tokens` is taken.

        Raises:
            ArtifactRefusedError: a file is missing or the weights do not fit the architecture.
        """
        try:
            held = _read(files)
            spec = FeatureSpec(**json.loads(held[SPEC]))
            transformer = empty_transformer(held[ARCHITECTURE].decode())
            transformer.load_state_dict(safetensors.torch.load(held[WEIGHTS]))
            json.loads(held[TOKENIZER])  # tokenizers has no error class of its own to catch
        except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            msg = f"these files are not an encoder: {error!r}"
            raise ArtifactRefusedError(msg) from error
        return cls(
            Pooled(transformer, spec.pooling).to(_device(device)),
            spec=spec,
            tokenizer_json=held[TOKENIZER].decode(),
            architecture_json=held[ARCHITECTURE].decode(),
            batch_tokens=config.batch_tokens,
        )

    @property
    def dim(self) -> int:
        """Width of the features."""
        states = int(cast("Any", self.module.transformer).config.hidden_size)
        return 2 * states if self.spec.pooling == "layers" else states

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.module.parameters()).device

    @property
    def digest(self) -> str:
        """SHA-256 over weights, architecture, tokenizer, pooling and length: what keys features."""
        if self._digest is None:
            digest = hashlib.sha256()
            for name, content in sorted(self.files().items()):
                digest.update(f"{name} {len(content)}\n".encode())
                digest.update(content)
            self._digest = digest.hexdigest()
        return self._digest

    def files(self) -> dict[str, bytes]:
        """Everything needed to rebuild it; the bytes depend on nothing else."""
        state = self.module.transformer.state_dict()
        return {
            WEIGHTS: safetensors.torch.save({k: v.cpu().contiguous() for k, v in state.items()}),
            ARCHITECTURE: self.architecture_json.encode(),
            TOKENIZER: self.tokenizer_json.encode(),
            SPEC: json.dumps(asdict(self.spec), sort_keys=True).encode(),
        }

    def clone(self) -> "Encoder":
        """An encoder of its own with the same weights, on the same device."""
        return self.with_module(copy.deepcopy(self.module), tokens=self.tokens)

    def with_module(self, module: Pooled, *, tokens: NDArray[np.int64] | None = None) -> "Encoder":
        """The same tokenizer and settings around another module.

        Args:
            module: of the same architecture.
            tokens: (V',) the token ids that it has embeddings for, rising; None where it has all.
        """
        return Encoder(
            module,
            spec=self.spec,
            tokenizer_json=self.tokenizer_json,
            architecture_json=self.architecture_json,
            batch_tokens=self.batch_tokens,
            tokens=tokens,
        )

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, truncated, not padded: rows of the module's embeddings."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        if self.tokens is None:
            return rows
        return [np.searchsorted(self.tokens, row).tolist() for row in rows]

    def padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token ids and attention mask (B, T), padded to the right, on the encoder's device."""
        width = max(1, *(len(row) for row in rows))
        ids = np.full((len(rows), width), self.spec.pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)

    def features(self, texts: Sequence[str]) -> Features:
        """Features (N, D), float32, of unit length, in the order of the texts.

        The same list of texts gives the same bits on the same machine; another grouping of the
        same texts may differ in the last ones, since padding changes how sums are cut up.

        Raises:
            NotFiniteError: a feature is not a finite number.
        """
        rows = self.tokenize(texts)
        result = np.zeros((len(rows), self.dim), dtype=np.float32)
        with torch.inference_mode():
            for batch in batches_by_length(
                [len(row) for row in rows], max_tokens=self.batch_tokens, max_stretch=MAX_STRETCH
            ):
                ids, mask = self.padded([rows[index] for index in batch])
                result[batch] = self.module(ids, mask).cpu().numpy()
        if not np.isfinite(result).all():
            bad = int((~np.isfinite(result).all(axis=1)).sum())
            msg = f"{bad} of {len(rows)} texts have features that are not finite"
            raise NotFiniteError(msg)
        return result


def _read(files: Mapping[str, bytes] | Path) -> Mapping[str, bytes]:
    if isinstance(files, Path):
        names = (WEIGHTS, ARCHITECTURE, TOKENIZER, SPEC)
        return {name: (files / name).read_bytes() for name in names}
    return files


def _device(device: Device | torch.device) -> torch.device:
    return device if isinstance(device, torch.device) else resolve_device(device)
