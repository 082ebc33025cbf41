"""Scores every promoted version on texts that none of them saw, from its files in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.artifacts import ArtifactReader
from model.onnx_session import providers_for
from model.predictor import FeatureExtractor, Predictor
from schemas.labeled_text import LabeledText
from schemas.model_version import ModelVersion


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracy by task and version, and the size of each task's test set."""

    accuracy: dict[tuple[str, int], float] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)


class _OneTimeExtractor(FeatureExtractor):
    """Encodes the same texts once: versions that share an encoder differ in the head alone."""

    _held: tuple[tuple[str, ...], NDArray[np.float32]] | None = None

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._held is None or self._held[0] != tuple(texts):
            self._held = (tuple(texts), super().features(texts))
        return self._held[1]


def score_versions(
    versions: Sequence[ModelVersion],
    test_set: Sequence[LabeledText],
    *,
    artifacts: ArtifactReader,
    threads: int = 0,
    scored: Callable[[ModelVersion, float], object] = lambda version, accuracy: None,
) -> Scores:
    """Load each version as a follower would and count its right answers.

    Raises:
        ArtifactRefusedError: a version's files are not what it says.
        StoreUnavailableError: the store does not answer.
    """
    providers = providers_for("cpu")
    extractors: dict[tuple[str, str], FeatureExtractor] = {}
    scores = Scores()
    for version in versions:
        asked = [text for text in test_set if text.task == version.task]
        if not asked:
            continue
        files = (version.encoder.sha256, version.tokenizer.sha256)
        if files not in extractors:
            extractors[files] = _OneTimeExtractor(
                encoder=artifacts.fetch(version.encoder),
                tokenizer=artifacts.fetch(version.tokenizer),
                providers=providers,
                threads=threads,
            )
        predictor = Predictor(
            extractor=extractors[files],
            head=artifacts.fetch(version.head),
            labels=version.labels,
            version=version.version,
            task=version.task,
            providers=providers,
            threads=threads,
        )
        accuracy = accuracy_of(predictor, asked)
        scores.accuracy[version.task, version.version] = accuracy
        scores.records[version.task] = len(asked)
        scored(version, accuracy)
    return scores


def accuracy_of(predictor: Predictor, asked: Sequence[LabeledText]) -> float:
    """Share of the texts that get their own label."""
    answers = predictor.predict([text.text for text in asked])
    right = sum(answer.label == text.label for answer, text in zip(answers, asked, strict=True))
    return right / len(asked)
