"""Features of texts on this machine, so that a refresh that was killed goes on where it was."""

import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from model.encoder import Encoder, Features

CHUNK_TEXTS = 512
"""Texts that are encoded and stored together: some seconds on a CPU, 0.8 MB at 384 features."""


class FeatureCache:
    """A folder of features, named by the encoder's digest and the texts.

    The fit before it is the same again after a restart, since its seed is, and gives the same
    digest. Losing the folder, or any file in it, costs time alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def features(self, encoder: Encoder, texts: Sequence[str]) -> Features:
        """Features (N, D) of one chunk of texts: read where they are stored, else computed."""
        file = self._folder / f"{_name(encoder, texts)}.npy"
        stored = _stored(file, shape=(len(texts), encoder.dim))
        if stored is not None:
            return stored
        features = encoder.features(texts)
        with suppress(OSError):  # a disk that is full makes a restart slower, nothing else
            _write(file, features)
        return features

    def clear(self) -> None:
        """Forget everything: the round that needed it is written down."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _name(encoder: Encoder, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(encoder.digest.encode())
    for text in texts:
        raw = text.encode(errors="surrogatepass")
        digest.update(f"{len(raw)}\n".encode() + raw)
    return digest.hexdigest()


def _stored(file: Path, *, shape: tuple[int, int]) -> Features | None:
    try:
        features = np.load(io.BytesIO(file.read_bytes()))
    except (OSError, ValueError, EOFError):
        return None
    fits = features.shape == shape and features.dtype == np.float32
    return features if fits else None


def _write(file: Path, features: Features) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = io.BytesIO()
    np.save(whole, features)
    beside = file.with_suffix(f".{uuid.uuid4().hex}")
    beside.write_bytes(whole.getvalue())
    os.replace(beside, file)  # noqa: PTH105 - published whole or not at all
