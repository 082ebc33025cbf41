"""Loads versions from the store: verified, warmed up, and with no encoder twice in memory."""

from threading import Lock
from weakref import WeakValueDictionary

from model.artifacts import ArtifactReader
from model.errors import ArtifactRefusedError
from model.onnx_session import Device, providers_for
from model.predictor import MAX_TOKENS_PER_BATCH, FeatureExtractor, Predictor
from schemas.model_version import Artifact, ModelVersion

MAX_ARTIFACT_BYTES = 2 * 2**30
"""Of a graph: one file of ONNX cannot be larger."""
MAX_TOKENIZER_BYTES = 64 * 2**20
"""Of a tokenizer's JSON, which takes many times its size once it is read."""


class PredictorLoader:
    """Makes predictors; those of the same encoder and tokenizer share one session.

    An increment so costs a new head, a few milliseconds. An encoder is freed with the last
    predictor that uses it: only weak references are kept here.

    Args:
        artifacts: where the files of versions come from.
        device: where to run; `auto` takes CUDA where it works.
        threads: of one run of a graph; 0 takes every core.
        max_tokens_per_batch: token budget of one run of the encoder.
        max_artifact_bytes: a version with a larger file is refused before a byte of it is read.
        max_tokenizer_bytes: the same for its tokenizer.

    Raises:
        ConfigError: `device` is `cuda` and CUDA does not work here.
    """

    def __init__(
        self,
        artifacts: ArtifactReader,
        *,
        device: Device = "auto",
        threads: int = 0,
        max_tokens_per_batch: int = MAX_TOKENS_PER_BATCH,
        max_artifact_bytes: int = MAX_ARTIFACT_BYTES,
        max_tokenizer_bytes: int = MAX_TOKENIZER_BYTES,
    ) -> None:
        self._artifacts = artifacts
        self._providers = providers_for(device)
        self._threads = threads
        self._max_tokens = max_tokens_per_batch
        self._max_bytes = max_artifact_bytes
        self._max_tokenizer_bytes = min(max_tokenizer_bytes, max_artifact_bytes)
        self._extractors: WeakValueDictionary[tuple[str, str], FeatureExtractor] = (
            WeakValueDictionary()
        )
        self._lock = Lock()

    def load(self, version: ModelVersion) -> Predictor:
        """The predictor of a version, proven and warm; blocks.

        Raises:
            ArtifactRefusedError: a file is missing, altered, too large or not what the version
                says.
            NotFiniteError: it answers with scores that are not finite.
            StoreUnavailableError: the store does not answer.
        """
        for artifact in (version.encoder, version.head):
            _check_size(artifact, self._max_bytes)
        _check_size(version.tokenizer, self._max_tokenizer_bytes)
        predictor = Predictor(
            head=self._artifacts.fetch(version.head),
            extractor=self._extractor(version),
            labels=version.labels,
            version=version.version,
            task=version.task,
            providers=self._providers,
            threads=self._threads,
        )
        predictor.warm_up()
        return predictor

    def _extractor(self, version: ModelVersion) -> FeatureExtractor:
        key = (version.encoder.sha256, version.tokenizer.sha256)
        with self._lock:
            extractor = self._extractors.get(key)
            if extractor is None:
                extractor = self._extractors[key] = FeatureExtractor(
                    encoder=self._artifacts.fetch(version.encoder),
                    tokenizer=self._artifacts.fetch(version.tokenizer),
                    providers=self._providers,
                    threads=self._threads,
                    max_tokens_per_batch=self._max_tokens,
                )
            return extractor


def _check_size(artifact: Artifact, limit: int) -> None:
    """The store holds the file to the size that is announced; here that is held to a limit."""
    if artifact.size_bytes > limit:
        msg = f"{artifact.path}: its {artifact.size_bytes} bytes are over the limit of {limit}"
        raise ArtifactRefusedError(msg)
