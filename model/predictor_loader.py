"""Loads versions from the store: verified, warmed up, and with no encoder twice in memory."""

from threading import Lock
from weakref import WeakValueDictionary

from model.artifacts import ArtifactReader
from model.onnx_session import Device, providers_for
from model.predictor import MAX_TOKENS_PER_BATCH, FeatureExtractor, Predictor
from schemas.model_version import ModelVersion


class PredictorLoader:
    """Makes predictors; those of the same encoder and tokenizer share one session.

    An increment so costs a new head, a few milliseconds. An encoder is freed with the last
    predictor that uses it: only weak references are kept here.

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
    ) -> None:
        self._artifacts = artifacts
        self._providers = providers_for(device)
        self._threads = threads
        self._max_tokens = max_tokens_per_batch
        self._extractors: WeakValueDictionary[tuple[str, str], FeatureExtractor] = (
            WeakValueDictionary()
        )
        self._lock = Lock()

    def load(self, version: ModelVersion) -> Predictor:
        """The predictor of a version, proven and warm; blocks.

        Raises:
            ArtifactRefusedError: a file is missing, altered or not what the version says.
            NotFiniteError: it answers with scores that are not finite.
            StoreUnavailableError: the store does not answer.
        """
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
