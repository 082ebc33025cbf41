"""`freshet models rollback`: writes the entry, then announces it where a broker answers."""

from collections.abc import Sequence
from contextlib import closing, nullcontext, suppress
from pathlib import Path

from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.announcement import announcement
from consumers.broker import kafka_python_options
from consumers.publisher import Outgoing
from consumers.settings import Settings
from consumers.training.span_log import SpanLog
from model.artifacts import ArtifactStore
from model.data import Progress
from model.learner import Learner
from model.lineage import LineageEntry
from schemas.topics import MODEL_VERSIONS

PATIENCE_SECONDS = 10.0
"""How long the broker may take to answer."""


def roll_back(
    settings: Settings,
    task: str,
    version: int | None,
    *,
    who: str,
    why: str,
    progress: Progress,
) -> tuple[LineageEntry, str | None]:
    """Let an older version serve again and announce it.

    The entry is what counts: without a broker the train role announces it before it extends the
    lineage. An update in flight loses the race for the entry's number and is done again after it.

    Args:
        settings: store, broker and tasks.
        task: whose version.
        version: to restore; None for the one that served before.
        who: asks for it.
        why: in their words.
        progress: told how far it is.

    Returns:
        The entry, and why it was not announced (None where it was).

    Raises:
        RollbackRefusedError: there is no such version to go back to, or its files are gone.
        TipMovedError: an update was faster; look again at what serves.
        StoreUnavailableError: the store does not answer.
    """
    learner = Learner(
        ArtifactStore(settings.store),
        cache=Path(settings.cache).expanduser(),
        device=settings.device,
        threads=settings.threads,
        progress=progress,
    )
    producer, fault = _connected(settings)
    try:
        # Records are read again only where the encoder was another; see `model.rollback`.
        with closing(SpanLog(settings)) if producer else nullcontext() as log:
            config = settings.task(task)
            entry = learner.rollback(task, version, config, who=who, why=why, log=log)
        if producer is not None:
            events = announcement(entry, source=f"/freshet/models/{task}")
            fault = _published(producer, events, settings)
        return entry, fault
    finally:
        if producer is not None:
            with suppress(KafkaError):
                producer.close(timeout=0)


def _connected(settings: Settings) -> tuple[KafkaProducer | None, str | None]:
    """A producer whose broker answers, or why there is none."""
    try:
        producer = KafkaProducer(
            **kafka_python_options(settings),
            acks="all",
            enable_idempotence=not settings.memory_broker,
            max_block_ms=int(PATIENCE_SECONDS * 1000),
        )
    except KafkaError as error:
        return None, str(error)
    try:
        known = producer.partitions_for(settings.topic(MODEL_VERSIONS.name))
    except KafkaError as error:
        known, fault = None, str(error)
    else:
        fault = f"no topic {settings.topic(MODEL_VERSIONS.name)}"
    if known:
        return producer, None
    with suppress(KafkaError):
        producer.close(timeout=0)
    return None, fault


def _published(
    producer: KafkaProducer, events: Sequence[Outgoing], settings: Settings
) -> str | None:
    """Publish in order and wait; the broker's fault, or None."""
    try:
        for event in events:
            sent = producer.send(
                settings.topic(event.topic.name),
                value=event.value,
                key=event.key,
                headers=list(event.headers),
            )
            sent.get(timeout=PATIENCE_SECONDS)
    except KafkaError as error:
        return str(error)
    return None
