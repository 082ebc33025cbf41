"""Follows `model-versions` and keeps the current predictor of each task at hand."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Self

from kafka.errors import KafkaError
from pydantic import ValidationError

from consumers.broker.clients import kafka_python_options
from consumers.inference.backlog import Backlog, Pending
from consumers.inference.events import (
    FollowDelayed,
    FollowEnded,
    FollowerEvent,
    TaskRemoved,
    VersionRefused,
    VersionSwapped,
    log_event,
)
from consumers.inference.version_reader import ANSWER_WITHIN_MS, VersionReader
from consumers.records import appended_at
from consumers.settings import Settings
from model.artifact_cache import CachedArtifacts
from model.artifacts import ArtifactReader, ArtifactStore
from model.errors import NoVersionError, RejectError, RetryError, StopError
from model.onnx_session import Device
from model.predictor import Predictor
from model.predictor_loader import MAX_ARTIFACT_BYTES, MAX_TOKENIZER_BYTES, PredictorLoader
from schemas.base import TASK_NAME
from schemas.faults import told
from schemas.model_version import ModelVersion
from schemas.topics import MODEL_VERSIONS

POLL_SECONDS = 0.25
"""Longest wait in one poll, and so the longest that `close` waits for an idle follower."""
RECONNECT_SECONDS = 1.0


class Follower:
    """Keeps the current predictor of each task, in a thread of its own.

    `find` and `current` hand out immutable predictors and never wait for a swap: whoever holds one
    finishes with it, and the last one to let go frees it. A version is fetched, verified, loaded
    and warmed up aside; if any of that fails it is refused and the one before it goes on.

    Args:
        bootstrap_servers: Kafka brokers, `host:port` with commas between.
        store: where versions lie as this machine reaches it, or a reader of its own.
        tasks: those to follow; None follows all.
        topic: name of `model-versions` on the broker.
        cache: folder for fetched files; of no use for a store on this machine.
        device: where to run; `auto` takes CUDA where it works.
        threads: of one run of a graph; 0 takes every core.
        max_artifact_bytes: a version with a larger graph is refused.
        max_tokenizer_bytes: a version with a larger tokenizer is refused.
        kafka: further keyword arguments of kafka-python's `KafkaConsumer`.
        on_event: told of each event, in the follower's thread; must return at once.

    Raises:
        ConfigError: the store's address names no store, or CUDA is asked for and does not work.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        store: str | ArtifactReader,
        tasks: Collection[str] | None = None,
        topic: str = MODEL_VERSIONS.name,
        cache: Path | None = None,
        device: Device = "auto",
        threads: int = 0,
        max_artifact_bytes: int = MAX_ARTIFACT_BYTES,
        max_tokenizer_bytes: int = MAX_TOKENIZER_BYTES,
        kafka: Mapping[str, Any] | None = None,
        on_event: Callable[[FollowerEvent], None] = log_event,
    ) -> None:
        servers = {"bootstrap_servers": bootstrap_servers.split(",")}
        self._reader = VersionReader(topic=topic, kafka={**(kafka or {}), **servers})
        artifacts = _reader_of(store, cache)
        self._loader = PredictorLoader(
            artifacts,
            device=device,
            threads=threads,
            max_artifact_bytes=max_artifact_bytes,
            max_tokenizer_bytes=max_tokenizer_bytes,
        )
        self._backlog = Backlog(tasks)
        self._on_event = on_event
        # Replaced, never changed: reading it needs no lock.
        self._serving: Mapping[str, Predictor] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self.beat_at = time.monotonic()
        """When it last looked for news, by `time.monotonic`; a version is loaded between two."""
        self._failure: BaseException | None = None
        self._delay = ""
        self._thread = threading.Thread(target=self._run, name="freshet-follower", daemon=True)

    @classmethod
    def from_settings(
        cls, settings: Settings, *, on_event: Callable[[FollowerEvent], None] = log_event
    ) -> "Follower":
        """A follower of an installation's tasks, with the prefix and the store of its settings."""
        return cls(
            bootstrap_servers=settings.bootstrap_servers,
            store=settings.store,
            tasks=settings.tasks_file.tasks if settings.strict_tasks else None,
            topic=settings.topic(MODEL_VERSIONS.name),
            cache=settings.cache / "artifacts",
            device=settings.device,
            threads=settings.threads,
            max_artifact_bytes=settings.max_artifact_bytes,
            max_tokenizer_bytes=settings.max_tokenizer_bytes,
            kafka=kafka_python_options(settings) | {"bootstrap_timeout_ms": ANSWER_WITHIN_MS},
            on_event=on_event,
        )

    def start(self) -> Self:
        """Begin to follow; returns at once."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop following and join the thread; predictors already handed out still answer."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def find(self, task: str) -> Predictor | None:
        """The current predictor of a task, or None; never waits.

        Raises:
            StopError: the follower's thread ended by a fault of the program.
        """
        if self._failure is not None:
            raise StopError("the follower has ended by a fault") from self._failure
        return self._serving.get(task)

    def numbers(self) -> dict[str, int]:
        """The version that is loaded, by task."""
        return {task: predictor.version for task, predictor in self._serving.items()}

    def current(self, task: str, *, timeout: float = 0.0) -> Predictor:
        """The current predictor of a task, waiting up to `timeout` seconds for its first.

        Raises:
            NoVersionError: there is none in time, the follower was closed before, or it does not
                follow the task.
        """
        if not self._backlog.follows(task):
            raise NoVersionError(f"{task} is not among the tasks that are followed")
        if (predictor := self.find(task)) is not None:
            return predictor
        with self._changed:
            self._changed.wait_for(lambda: self._settled(task), timeout)
        if (predictor := self.find(task)) is None:
            raise NoVersionError(f"no version of {task} within {timeout:g} s")
        return predictor

    def _settled(self, task: str) -> bool:
        return task in self._serving or self._failure is not None or self._closing.is_set()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._step()
        except BaseException as e:  # told to every reader, who would wait for ever otherwise
            with self._changed:
                self._failure = e
                self._changed.notify_all()
            self._on_event(FollowEnded(f"{type(e).__name__}: {e}"))
            raise
        finally:
            self._reader.close()

    def _step(self) -> None:
        """Read what was announced; load what is due, once the end of the topic has been seen."""
        self.beat_at = time.monotonic()
        try:
            records = self._reader.poll(timeout_seconds=self._patience())
        except (KafkaError, OSError) as e:
            self._reader.close()
            self._tell_delay(None, f"{type(e).__name__}: {e}")
            self._closing.wait(RECONNECT_SECONDS)
            return
        for record in records:
            self._take(record)
        while self._reader.caught_up and not self._closing.is_set():
            pending = self._backlog.due(now=time.monotonic())
            if pending is None:
                return
            self.beat_at = time.monotonic()
            self._load(pending)

    def _patience(self) -> float:
        until_due = self._backlog.seconds_until_due(now=time.monotonic())
        if until_due is None or not self._reader.caught_up:
            return POLL_SECONDS
        return min(until_due, POLL_SECONDS)

    def _take(self, record: Any) -> None:
        task = (record.key or b"").decode(errors="replace")
        if not self._backlog.follows(task):
            return
        if not TASK_NAME.fullmatch(task):
            reason = f"offset {record.offset}: its key {task[:100]!r} is no name of a task"
            self._on_event(VersionRefused(task[:100], None, reason))
            return
        if record.value is None:
            self._remove(task)
            return
        try:
            version = ModelVersion.decode(record.value)
        except ValidationError as e:
            reason = f"offset {record.offset}: it is no announcement of a version: {told(e)}"
            self._on_event(VersionRefused(task, None, reason))
            return
        if version.task != task:
            reason = f"offset {record.offset}: its key is {task!r}, its task {version.task!r}"
            self._on_event(VersionRefused(task, version.version, reason))
        else:
            at = appended_at(record)
            self._backlog.announce(version, announced_at=at, now=time.monotonic())

    def _load(self, pending: Pending) -> None:
        version = pending.version
        try:
            predictor = self._loader.load(version)
        except RetryError as e:
            self._backlog.postpone(pending, now=time.monotonic())
            self._tell_delay(version.task, str(e))
        except RejectError as e:
            self._backlog.refuse(pending, now=time.monotonic())
            if not pending.refused:  # told once, not with every look
                self._on_event(VersionRefused(version.task, version.version, str(e)))
        else:
            self._swap(predictor, pending)

    def _swap(self, predictor: Predictor, pending: Pending) -> None:
        task = predictor.task
        held = self._serving.get(task)
        self._backlog.serve(pending)
        self._publish({**self._serving, task: predictor})
        self._delay = ""
        self._on_event(
            VersionSwapped(
                task=task,
                version=predictor.version,
                previous=held.version if held else None,
                seconds=time.monotonic() - pending.read_at,
                announced_at=pending.announced_at,
            )
        )

    def _remove(self, task: str) -> None:
        self._backlog.remove(task)
        if task in self._serving:
            self._publish({name: one for name, one in self._serving.items() if name != task})
            self._on_event(TaskRemoved(task))

    def _publish(self, serving: Mapping[str, Predictor]) -> None:
        with self._changed:
            self._serving = serving
            self._changed.notify_all()

    def _tell_delay(self, task: str | None, reason: str) -> None:
        if reason != self._delay:  # once, not once a second
            self._delay = reason
            self._on_event(FollowDelayed(task, reason))


def _reader_of(store: str | ArtifactReader, cache: Path | None) -> ArtifactReader:
    if not isinstance(store, str):
        return store
    opened = ArtifactStore(store)
    return opened if opened.is_local or cache is None else CachedArtifacts(opened, cache)
