"""A follower swaps whole versions, refuses bad ones, and never makes a reader wait."""

import threading
import time
from collections.abc import Callable

import pytest

from consumers.inference.events import FollowDelayed, TaskRemoved, VersionRefused, VersionSwapped
from consumers.inference.follower import Follower
from consumers.settings import Settings
from model.artifacts import ArtifactStore
from model.errors import NoVersionError, StopError, StoreUnavailableError
from schemas.model_version import Artifact
from tests.consumers.inference.conftest import Events, Publisher
from tests.model import tiny_onnx
from tests.model.tiny_onnx import LABELS, WORDS, expected


def _follower(settings: Settings, events: Events) -> Follower:
    return Follower.from_settings(settings, on_event=events)


def test_a_late_starter_gets_the_newest_version_at_once_and_no_other(
    installation: Settings, publisher: Publisher
) -> None:
    for number in range(1, 6):
        publisher.announce(number, head_turn=number)
    events = Events()
    with _follower(installation, events) as follower:
        predictor = follower.current("colors", timeout=20)
        assert predictor.version == 5
        assert predictor.predict(["beta"])[0].label == expected("beta", turns=5)
    swaps = [event for event in events.seen.queue if isinstance(event, VersionSwapped)]
    assert [(swap.version, swap.previous) for swap in swaps] == [(5, None)]


def test_a_follower_that_starts_first_waits_and_then_swaps(
    installation: Settings, publisher: Publisher
) -> None:
    events = Events()
    with _follower(installation, events) as follower:
        assert follower.find("colors") is None
        with pytest.raises(NoVersionError, match="colors within 0 s"):
            follower.current("colors")
        publisher.announce(1)
        assert follower.current("colors", timeout=20).version == 1
        publisher.announce(2, head_turn=1)
        assert events.wait_for_version(2).previous == 1
        assert follower.current("colors").predict(["alpha"])[0].label == expected("alpha", turns=1)


def test_a_tombstone_removes_the_task_and_a_new_lineage_may_follow(
    installation: Settings, publisher: Publisher
) -> None:
    events = Events()
    with _follower(installation, events) as follower:
        publisher.announce(7)
        events.wait_for_version(7)
        publisher.send("colors", None)
        assert events.wait(TaskRemoved).task == "colors"
        assert follower.find("colors") is None
        publisher.announce(0)
        assert follower.current("colors", timeout=20).version == 0


@pytest.fixture
def on_memory(
    memory_settings: Settings, publisher_of: Callable[[Settings], Publisher]
) -> Publisher:
    return publisher_of(memory_settings)


def test_a_lower_version_is_ignored(on_memory: Publisher) -> None:
    events = Events()
    on_memory.announce(5)
    with _follower(on_memory.settings, events):
        events.wait_for_version(5)
        for number in (4, 5, 6):
            on_memory.announce(number)
        assert events.wait(VersionSwapped).previous == 5
    assert events.seen.empty()


def _damage(store: ArtifactStore, artifact: Artifact, how: str) -> None:
    data = store.get(artifact.path)
    if how == "missing":
        store.delete(artifact.path)
    else:
        changed = data[:-1] if how == "truncated" else data[:-1] + bytes([data[-1] ^ 1])
        store.put(artifact.path, changed)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("tampered", "SHA-256"),
        ("truncated", "bytes, not"),
        ("missing", "missing"),
        ("labels", "3 classes, but the version has 2 labels"),
        ("unparseable", "cannot load it"),
        ("unnormalised", "not to one"),
        ("not json", "it is no announcement of a version: value: Invalid JSON"),
        ("wrong key", "its key is 'colors', its task 'shapes'"),
    ],
)
def test_a_bad_version_is_refused_and_the_old_one_serves_on(
    on_memory: Publisher, fault: str, reason: str
) -> None:
    events = Events()
    on_memory.announce(1)
    with _follower(on_memory.settings, events) as follower:
        held = follower.current("colors", timeout=20)
        match fault:
            case "labels":
                on_memory.announce(2, labels=LABELS[:2])
            case "unparseable":
                on_memory.announce(2, head_graph=b"no graph")
            case "unnormalised":
                on_memory.announce(2, head_graph=tiny_onnx.unnormalised_head())
            case "not json":
                on_memory.send("colors", b"{")
            case "wrong key":
                other = tiny_onnx.store_version(on_memory.store, 2, task="shapes")
                on_memory.send("colors", other.encode())
            case _:
                version = tiny_onnx.store_version(on_memory.store, 2, head_turn=1)
                _damage(on_memory.store, version.head, fault)
                on_memory.send("colors", version.encode())
        refused = events.wait(VersionRefused)
        assert reason in refused.reason
        assert follower.current("colors") is held
        assert held.predict(["gamma"])[0].label == expected("gamma", turns=0)
        on_memory.announce(3, head_turn=2)
        assert events.wait_for_version(3).previous == 1


def test_a_refused_version_whose_file_is_put_right_is_served_in_the_end(
    on_memory: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.inference.backlog.REFUSED_PAUSE_SECONDS", 0.2)
    events = Events()
    version = tiny_onnx.store_version(on_memory.store, 1)
    held = on_memory.store.get(version.head.path)
    _damage(on_memory.store, version.head, "truncated")
    on_memory.send("colors", version.encode())
    with _follower(on_memory.settings, events) as follower:
        events.wait(VersionRefused)
        assert follower.find("colors") is None
        on_memory.store.put(version.head.path, held)
        assert events.wait_for_version(1).previous is None
        told = [event for event in events.seen.queue if isinstance(event, VersionRefused)]
        assert not told, "it is told once"


def test_readers_under_load_see_whole_versions_only(on_memory: Publisher) -> None:
    events = Events()
    stop = threading.Event()
    faults: list[object] = []
    versions: set[int] = set()

    def read(follower: Follower, word: str) -> None:
        try:
            while not stop.is_set():
                predictor = follower.current("colors")
                answers = {scored.label for scored in predictor.predict([word] * 3)}
                # Of version n encoder and head have turned by n each.
                if answers != {expected(word, turns=2 * predictor.version)}:
                    faults.append((predictor.version, word, answers))
                versions.add(predictor.version)
        except Exception as e:
            faults.append(e)
            raise

    on_memory.announce(0)
    with _follower(on_memory.settings, events) as follower:
        follower.current("colors", timeout=20)
        readers = [threading.Thread(target=read, args=(follower, word)) for word in WORDS]
        for reader in readers:
            reader.start()
        for number in range(1, 9):
            on_memory.announce(number, encoder_turn=number, head_turn=number)
            events.wait_for_version(number)
        stop.set()
        for reader in readers:
            reader.join()
    assert faults == []
    assert len(versions) > 2


class _Store:
    """A store that is away for its first `failures` fetches."""

    def __init__(self, store: ArtifactStore, failures: int) -> None:
        self.store, self.failures = store, failures

    def fetch(self, artifact: Artifact) -> bytes:
        self.failures -= 1
        if self.failures >= 0:
            raise StoreUnavailableError("the store is away")
        return self.store.fetch(artifact)


def _on(publisher: Publisher, store: object, events: Events) -> Follower:
    return Follower(
        bootstrap_servers=publisher.settings.bootstrap_servers,
        store=store,  # type: ignore[arg-type]
        tasks=["colors"],
        topic=publisher.settings.topic("model-versions"),
        device="cpu",
        threads=1,
        kafka={"api_version": (2, 3)},
        on_event=events,
    )


def test_a_store_that_is_away_delays_a_version_and_does_not_lose_it(on_memory: Publisher) -> None:
    events = Events()
    on_memory.announce(1)
    with _on(on_memory, _Store(on_memory.store, failures=2), events) as follower:
        assert events.wait(FollowDelayed).reason == "the store is away"
        assert follower.current("colors", timeout=20).version == 1


def test_tasks_that_were_not_asked_for_are_not_loaded(on_memory: Publisher) -> None:
    on_memory.announce(1, task="shapes")
    on_memory.announce(1)
    with _on(on_memory, on_memory.store, Events()) as follower:
        follower.current("colors", timeout=20)
        assert follower.find("shapes") is None
        with pytest.raises(NoVersionError, match="shapes is not among the tasks"):
            follower.current("shapes", timeout=20)


def test_a_broker_that_is_away_is_told_once_and_close_does_not_hang(tmp_path: object) -> None:
    events = Events()
    follower = Follower(
        bootstrap_servers="127.0.0.1:9",
        store=str(tmp_path),
        device="cpu",
        kafka={"bootstrap_timeout_ms": 300},
        on_event=events,
    )
    with follower:
        events.wait(FollowDelayed)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert events.seen.empty()


class _Broken:
    def fetch(self, artifact: Artifact) -> bytes:
        raise ZeroDivisionError(artifact.path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_program_reaches_every_reader(on_memory: Publisher) -> None:
    on_memory.announce(1)
    with _on(on_memory, _Broken(), Events()) as follower:
        with pytest.raises(StopError) as caught:
            follower.current("colors", timeout=20)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_close_wakes_those_who_wait_and_predictors_outlive_it(on_memory: Publisher) -> None:
    follower = _on(on_memory, on_memory.store, Events())
    on_memory.announce(1)
    with follower:
        held = follower.current("colors", timeout=20)
        waiting = threading.Thread(target=lambda: _swallow(follower))
        waiting.start()
    waiting.join(5)
    assert not waiting.is_alive()
    assert held.predict(["alpha"])[0].label == expected("alpha", turns=0)
    assert not follower._thread.is_alive()


def _swallow(follower: Follower) -> None:
    with pytest.raises(NoVersionError):
        follower.current("nothing", timeout=60)
