"""The serve role: answers `texts` with the current version of each task, on `predictions`."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Protocol

from consumers.batches import PartitionBatch, Place
from consumers.flood_guard import FloodGuard
from consumers.health.condition import Condition
from consumers.inference.answers import Current, Entry, answer
from consumers.inference.events import (
    FollowEnded,
    FollowerEvent,
    VersionSwapped,
    log_event,
)
from consumers.inference.follower import Follower
from consumers.inference.lane import Lane
from consumers.publisher import Outgoing
from consumers.records import BadRecordError, RawRecord, appended_at, parse_text
from consumers.role import RoleKafka
from consumers.runner import run_role
from consumers.settings import Settings
from consumers.telemetry import get_log
from model.errors import StopError
from model.predictor import Predictor
from schemas.dead_letter import DeadLetter
from schemas.labeled_text import TextToClassify
from schemas.prediction import Prediction
from schemas.topics import PREDICTIONS, TEXTS, TEXTS_DEAD

ROLE = "serve"
LOOK_AGAIN_SECONDS = 5.0
"""How often a text that waits for a version is looked at, news or not: a sign of life."""


class Versions(Protocol):
    """The part of a `Follower` that serving needs."""

    def start(self) -> object:
        """Begin to follow."""
        ...

    beat_at: float
    """When it last looked for news, by `time.monotonic`."""

    def find(self, task: str) -> Predictor | None:
        """The current predictor of a task."""
        ...

    def numbers(self) -> Mapping[str, int]:
        """The version that is loaded, by task."""
        ...

    def close(self) -> None:
        """Stop following."""
        ...


class Follow(Protocol):
    """Makes it; `on_event` is told of every swap, in any thread."""

    def __call__(
        self, settings: Settings, /, *, on_event: Callable[[FollowerEvent], None]
    ) -> Versions:
        """A follower of an installation, not yet started."""
        ...


def run(settings: Settings) -> int:
    """Serve until told to stop; the exit status comes back."""
    handler = Serve(settings)
    return run_role(settings, role=ROLE, topics=[TEXTS], handler=handler, from_latest=True)


class Serve:
    """Answers each partition in its order, and commits what has been answered.

    A version is taken once for all texts that are answered together, so a swap falls between two
    of them: it neither loses nor repeats a text. A text of a task without a version is held, and
    its partition with it, while the others go on.
    """

    def __init__(self, settings: Settings, *, follow: Follow = Follower.from_settings) -> None:
        self._settings = settings
        self._follow = follow
        self._log = get_log(role=ROLE)
        self._flood = FloodGuard(
            settings.flood_ratio, settings.flood_records, in_a_row=settings.flood_in_a_row
        )
        self._executor = ThreadPoolExecutor(1, "freshet-predict")
        self._lanes: dict[Place, Lane] = {}
        self._waiting_for: dict[str, float] = {}
        """When it was last told, by task."""
        self._versions: Versions | None = None
        self._news = asyncio.Event()

    async def start(self, kafka: RoleKafka) -> None:
        """Begin to follow versions."""
        self._kafka = kafka
        self._loop = asyncio.get_running_loop()
        self._started_at, self._started = datetime.now(UTC), time.monotonic()
        self._versions = self._follow(self._settings, on_event=self._on_event)
        self._versions.start()

    async def assigned(self, partitions: frozenset[Place]) -> None:
        """Open a lane for each; what an older one holds comes again from the committed offset."""
        await self.revoked(partitions)
        self._flood.read_again(partitions)
        for place in partitions:
            topic, partition = place
            self._lanes[place] = Lane(
                functools.partial(self._work, place),
                on_failure=self._fail,
                log=self._log.bind(topic=topic, partition=partition),
            )

    async def revoked(self, partitions: frozenset[Place]) -> None:
        """Abandon what is in hand: whoever holds the partition next answers it."""
        lanes = [lane for place in partitions if (lane := self._lanes.pop(place, None))]
        for lane in lanes:
            await lane.drop()

    async def batch(self, batch: PartitionBatch) -> None:
        """Validate a batch and put it into its partition's lane."""
        entries = [self._read(record) for record in batch.records]
        if (lane := self._lanes.get(batch.place)) is not None:
            await lane.put(entries)

    async def stop(self) -> None:
        """Publish and commit the answers in hand, while the follower ends: it may be at a load."""
        lanes, within = list(self._lanes.values()), self._settings.finish_seconds
        for lane in lanes:
            lane.close()
        self._wake()  # those that hold a text look, and find that they are closed
        ending = [lane.finish(within_seconds=within) for lane in lanes]
        if self._versions is not None:
            ending.append(asyncio.to_thread(self._versions.close))
        await asyncio.gather(*ending)
        self._executor.shutdown()

    def condition(self) -> Condition:
        """Which version answers each task; the slowest lane, or the follower, sets the beat."""
        versions = self._versions
        if versions is None:
            return Condition(not_ready="the follower has not started")
        busy = [lane.beat_at for lane in self._lanes.values() if lane.busy]
        numbers = versions.numbers()
        return Condition(
            working_on="answers" if busy else "following versions",
            beat_at=min([*busy, versions.beat_at]),
            not_ready="" if numbers else "no version is loaded yet",
            tasks={task: {"version": number} for task, number in sorted(numbers.items())},
        )

    def _read(self, record: RawRecord) -> Entry:
        place = (record.topic, record.partition)
        try:
            text = parse_text(record, settings=self._settings)
        except BadRecordError as error:
            self._flood.saw_bad(place, why=str(error))
            return Entry(record, error)
        self._flood.saw_good(place, 1)
        return Entry(record, text)

    async def _work(self, place: Place, entries: Sequence[Entry]) -> int:
        """Answer the first of `entries`; says how many.

        1. Take the version of each task, once.
        2. Take the texts before the first that is to be held. None? Hold, and be called again.
        3. Compute the answers, in another thread.
        4. Publish them; when every replica has them, commit.
        """
        # 1.
        current = self._current(entries)
        # 2.
        ready = self._ready(entries, current)
        if not ready:
            await self._hold(entries[0])
            return 0
        # 3.
        compute = functools.partial(answer, ready, current, clock=lambda: datetime.now(UTC))
        outcomes = await self._loop.run_in_executor(self._executor, compute)
        # 4.
        await self._kafka.publish_all(
            [
                Outgoing(
                    PREDICTIONS if isinstance(outcome, Prediction) else TEXTS_DEAD,
                    outcome.encode(),
                    outcome.key if isinstance(outcome, DeadLetter) else entry.record.key,
                    outcome.headers(f"freshet/{ROLE}"),
                )
                for entry, outcome in zip(ready, outcomes, strict=True)
            ]
        )
        await self._kafka.commit({place: ready[-1].record.offset + 1})
        return len(ready)

    def _current(self, entries: Sequence[Entry]) -> Current:
        tasks = {entry.text.task for entry in entries if isinstance(entry.text, TextToClassify)}
        versions = self._versions
        return {task: versions.find(task) if versions else None for task in tasks}

    def _ready(self, entries: Sequence[Entry], current: Current) -> Sequence[Entry]:
        for index, entry in enumerate(entries):
            if isinstance(entry.text, BadRecordError) or current[entry.text.task] is not None:
                continue
            if self._patience(entry) > 0:
                return entries[:index]
        return entries

    def _patience(self, entry: Entry) -> float:
        return hold_seconds(
            appended_at=appended_at(entry.record),
            started_at=self._started_at,
            running_seconds=time.monotonic() - self._started,
            now=datetime.now(UTC),
            wait_seconds=self._settings.wait_for_model_seconds,
        )

    async def _hold(self, entry: Entry) -> None:
        """Wait until there is news, or the text's time is up."""
        seconds, record = self._patience(entry), entry.record
        if isinstance(entry.text, TextToClassify) and self._is_news(entry.text.task):
            self._log.info(
                "waiting_for_model",
                task=entry.text.task,
                partition=record.partition,
                offset=record.offset,
                seconds=round(seconds, 1),
            )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), min(max(seconds, 0.0), LOOK_AGAIN_SECONDS))

    def _is_news(self, task: str) -> bool:
        """Whether it is time to tell, again, that texts of a task wait."""
        now, told_at = time.monotonic(), self._waiting_for.get(task)
        if told_at is not None and now - told_at < self._settings.wait_for_model_seconds:
            return False
        self._waiting_for[task] = now
        return True

    def _on_event(self, event: FollowerEvent) -> None:
        """Called in the follower's thread."""
        log_event(event)
        self._loop.call_soon_threadsafe(self._take_note, event)

    def _take_note(self, event: FollowerEvent) -> None:
        if isinstance(event, VersionSwapped):
            self._waiting_for.pop(event.task, None)
        if isinstance(event, FollowEnded):
            self._kafka.fail(StopError(f"the follower ended: {event.reason}"))
        self._wake()

    def _wake(self) -> None:
        """Let whoever waits look again; who waits from now on waits for the next news."""
        self._news.set()
        self._news = asyncio.Event()

    def _fail(self, error: BaseException) -> None:
        self._kafka.fail(error if isinstance(error, Exception) else StopError(repr(error)))


def hold_seconds(
    *,
    appended_at: datetime,
    started_at: datetime,
    running_seconds: float,
    now: datetime,
    wait_seconds: float,
) -> float:
    """How much longer a text without a version is held; not above zero: its time is up.

    It counts from when the broker took the text, or from when the role started, so that what came
    while it was down has its time too, and a task that never comes costs each text its wait once.
    No text has waited for longer than the role has run, whatever a clock that jumps ahead says.
    """
    waited = min((now - max(appended_at, started_at)).total_seconds(), running_seconds)
    return min(wait_seconds - waited, wait_seconds)
