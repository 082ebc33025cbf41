"""Answers texts with one version: tokenizer, encoder and head. Needs neither torch nor a broker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model.batching import batches_by_length
from model.errors import ArtifactRefusedError, NotFiniteError
from model.onnx_session import Device, check_signature, open_session, providers_for, run_session

MAX_TOKENS_PER_BATCH = 4096
"""Token budget of one run of the encoder, padding included: bounds memory and time of a run."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The label with the highest score, and the calibrated score of every label."""

    label: str
    scores: dict[str, float]


class FeatureExtractor:
    """An encoder with its tokenizer: texts to features. Safe for several threads at once.

    Args:
        encoder: ONNX, `input_ids` and `attention_mask` int64 (B, T) to `features` float32 (B, D).
        tokenizer: a Hugging Face `tokenizer.json` with truncation set.
        providers: as `model.onnx_session.providers_for` gives them.
        threads: of one run; 0 takes every core.
        max_tokens_per_batch: token budget of one run; a single longer text still runs.

    Raises:
        ArtifactRefusedError: a file cannot be read or has another signature.
    """

    def __init__(
        self,
        *,
        encoder: bytes,
        tokenizer: bytes,
        providers: list[str],
        threads: int,
        max_tokens_per_batch: int = MAX_TOKENS_PER_BATCH,
    ) -> None:
        self._tokenizer, self._pad_id = _open_tokenizer(tokenizer)
        self._session = open_session(encoder, name="encoder", providers=providers, threads=threads)
        self.width = check_signature(
            self._session,
            name="encoder",
            inputs={"input_ids", "attention_mask"},
            output="features",
        )
        """D where the graph fixes it."""
        self._max_tokens = max_tokens_per_batch

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features (N, D) in the order of `texts`, which must not be empty."""
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        ids = [encoding.ids for encoding in encoded]
        parts, order = [], []
        for chosen in batches_by_length([len(row) for row in ids], max_tokens=self._max_tokens):
            parts.append(self._run([ids[index] for index in chosen]))
            order += chosen
        features = np.concatenate(parts)
        restored = np.empty_like(features)
        restored[order] = features
        return restored

    def _run(self, rows: list[list[int]]) -> NDArray[np.float32]:
        longest = max(1, *(len(row) for row in rows))
        input_ids = np.full((len(rows), longest), self._pad_id, dtype=np.int64)
        attention_mask = np.zeros_like(input_ids)
        for index, row in enumerate(rows):
            input_ids[index, : len(row)] = row
            attention_mask[index, : len(row)] = 1
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        features = run_session(self._session, "features", feeds)
        if features.ndim != 2 or len(features) != len(rows):
            msg = f"encoder: its features are {features.shape} for {len(rows)} texts"
            raise ArtifactRefusedError(msg)
        return features


class Predictor:
    """One version, immutable. Safe for several threads at once.

    Args:
        extractor: the version's encoder, which several versions may share.
        head: ONNX, `features` float32 (B, D) to `scores` float32 (B, C), rows sum to one.
        labels: of the columns of the scores.
        version: sequence number in the task's lineage.
        task: the learning problem.
        providers: as `model.onnx_session.providers_for` gives them.
        threads: of one run; 0 takes every core.

    Raises:
        ArtifactRefusedError: the head cannot be read, or fits neither the encoder nor the labels.
    """

    def __init__(
        self,
        *,
        extractor: FeatureExtractor,
        head: bytes,
        labels: Sequence[str],
        version: int,
        task: str,
        providers: list[str],
        threads: int,
    ) -> None:
        self.extractor = extractor
        self.labels = tuple(labels)
        self.version = version
        self.task = task
        self._head = open_session(head, name="head", providers=providers, threads=threads)
        width = check_signature(self._head, name="head", inputs={"features"}, output="scores")
        if width is not None:
            self._check_width(width)

    @classmethod
    def from_bytes(
        cls,
        *,
        encoder: bytes,
        tokenizer: bytes,
        head: bytes,
        labels: Sequence[str],
        version: int = 0,
        task: str = "",
        device: Device = "cpu",
        threads: int = 0,
    ) -> "Predictor":
        """A predictor of its own from the bytes of a version's files."""
        providers = providers_for(device)
        extractor = FeatureExtractor(
            encoder=encoder, tokenizer=tokenizer, providers=providers, threads=threads
        )
        return cls(
            extractor=extractor,
            head=head,
            labels=labels,
            version=version,
            task=task,
            providers=providers,
            threads=threads,
        )

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores (N, C) in the order of `texts`, which must not be empty.

        Raises:
            ArtifactRefusedError: a graph fails on them.
            NotFiniteError: a score is not a finite number.
        """
        features = self.extractor.features(texts)
        scores = run_session(self._head, "scores", {"features": features})
        self._check_width(scores.shape[-1])
        if not np.isfinite(scores).all():
            bad = np.flatnonzero(~np.isfinite(scores).all(axis=1)).tolist()
            msg = f"version {self.version}: scores of texts {bad} are not finite"
            raise NotFiniteError(msg)
        return scores

    def predict(self, texts: Sequence[str]) -> list[Scored]:
        """The answers in the order of `texts`; of equal scores the first label wins."""
        if not texts:
            return []
        rows = np.clip(self.scores(texts), 0.0, 1.0)
        best = rows.argmax(axis=1).tolist()
        return [
            Scored(self.labels[index], dict(zip(self.labels, row, strict=True)))
            for index, row in zip(best, rows.tolist(), strict=True)
        ]

    def warm_up(self) -> None:
        """Answer two texts of unlike length, so that the first caller waits for nothing.

        Raises:
            ArtifactRefusedError: the scores are not one distribution a text.
            NotFiniteError: a score is not a finite number.
        """
        scores = self.scores(["warm up", "a longer text to warm up with, padded beside the first"])
        sums = scores.sum(axis=1)
        if (scores < 0).any() or np.abs(sums - 1).max() > 1e-3:
            msg = f"head: its scores sum to {sums.tolist()}, not to one"
            raise ArtifactRefusedError(msg)

    def _check_width(self, width: int) -> None:
        if width != len(self.labels):
            msg = f"head: it scores {width} classes, but the version has {len(self.labels)} labels"
            raise ArtifactRefusedError(msg)


def _open_tokenizer(raw: bytes) -> tuple[Tokenizer, int]:
    """The tokenizer without padding, and the id to pad with."""
    try:
        tokenizer = Tokenizer.from_buffer(raw)
    except ValueError as e:
        msg = f"tokenizer: it cannot be read: {e}"
        raise ArtifactRefusedError(msg) from e
    if tokenizer.truncation is None:
        msg = "tokenizer: it sets no truncation, so a long text would break the encoder"
        raise ArtifactRefusedError(msg)
    padding = tokenizer.padding
    tokenizer.no_padding()
    return tokenizer, padding["pad_id"] if padding else 0
