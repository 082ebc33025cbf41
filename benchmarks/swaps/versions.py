"""Real versions to swap between: the recipes' own, on the packaged MiniLM and generated headlines.

Versions 0 and 1 share the base model's encoder, 2 and 3 the encoder of a refresh.
"""

from collections.abc import Mapping, Sequence

from consumers.demo.headlines import TASK, generate_stream
from consumers.settings import Settings
from model.artifacts import ArtifactStore
from model.backtest.slice import Slice
from model.backtest.stream import Stream, stream_of
from model.config import GateConfig, RefreshConfig, TaskConfig
from model.learner import Learner
from model.lineage import Lineage
from model.predictor_loader import PredictorLoader
from schemas.model_version import ModelVersion

RECORDS = 600
VERSIONS = 4


def learned(settings: Settings, *, seed: int) -> list[ModelVersion]:
    """Learn them into the store: increment, increment, refresh, increment; once for each store."""
    lineage = Lineage(ArtifactStore(settings.store), TASK)
    if len(lineage.sequences()) != VERSIONS:
        _learn(settings, seed=seed)
    entries = [lineage.entry(sequence) for sequence in lineage.sequences()]
    return [entry.version for entry in entries if entry.version is not None]


def answers(
    settings: Settings, versions: Sequence[ModelVersion], texts: Sequence[str]
) -> Mapping[tuple[int, str], Mapping[str, float]]:
    """The scores of each version, by its number, for each text."""
    loader = PredictorLoader(ArtifactStore(settings.store), device="cpu", threads=1)
    predictors = [loader.load(version) for version in versions]
    return {
        (one.version, text): scored.scores
        for one in predictors
        for text, scored in zip(texts, one.predict(texts), strict=True)
    }


def _learn(settings: Settings, *, seed: int) -> None:
    config = TaskConfig(gate=GateConfig(obey=False), refresh=RefreshConfig(newest_records=250))
    learner = Learner(
        ArtifactStore(settings.store),
        cache=settings.cache.expanduser(),
        device="cpu",
        threads=settings.threads,
        progress=lambda _stage, /, **_fields: None,
    )
    stream = _stream(seed)
    windows = list(stream.windows(RECORDS // 3))
    learner.increment(TASK, [windows[0]], config)
    learner.increment(TASK, [windows[1]], config)
    learner.refresh(TASK, "to swap to", stream, config)
    learner.increment(TASK, [windows[2]], config)


def _stream(seed: int) -> Stream:
    texts = generate_stream(RECORDS, seed=seed)
    return stream_of(TASK, [Slice("headlines", tuple(texts), ())], seed=seed)
