"""A store that fails costs time, never an entry."""

import time
from collections.abc import Callable
from pathlib import Path

import obstore
import pytest

from model import artifacts
from model.artifacts import ArtifactStore
from model.data import Record
from model.errors import AlreadyExistsError, RetryError, StoreUnavailableError
from model.learner import Learner
from tests.faults.firing import Armed
from tests.faults.plan import StoreFault, armed_file
from tests.faults.store_faults import into_store
from tests.model.loop import ALWAYS, TASK, Loop, a_window, stream

WINDOW = 40
Faulty = Callable[..., ArtifactStore]


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faulty:
    """Makes a store whose process meets these faults and no others."""

    def make(*faults: StoreFault) -> ArtifactStore:
        monkeypatch.setattr(artifacts, "obstore", obstore)
        path = tmp_path / "plan.json"
        into_store(faults, path, Armed(path, time.monotonic()))
        return ArtifactStore(str(tmp_path / "store"))

    return make


def test_a_full_disk_refuses_what_is_written_and_gives_what_is_there(
    faulty: Faulty, tmp_path: Path
) -> None:
    store = faulty(StoreFault(name="full", kind="full", switched=True))
    kept = store.put("a/kept", b"kept")
    armed_file(tmp_path / "plan.json", "full").touch()
    for write in (store.put, store.create):
        with pytest.raises(StoreUnavailableError, match=r"a/new: .*No space left on device"):
            write("a/new", b"new")
    assert store.fetch(kept) == b"kept"
    assert store.list("a") == ["a/kept"]
    assert not list((tmp_path / "store" / ".staging").glob("*"))
    armed_file(tmp_path / "plan.json", "full").unlink()
    store.create("a/new", b"new")


def test_the_same_seed_fails_the_same_operations(faulty: Faulty) -> None:
    def failed(seed: int) -> list[int]:
        store = faulty(StoreFault(name="flaky", kind="error", rate=0.3, seed=seed))
        return [n for n in range(200) if not _does(lambda: store.list("a"))]

    first = failed(1)
    assert 30 < len(first) < 90
    assert failed(1) == first != failed(2)


def test_a_slow_store_answers_after_its_time(faulty: Faulty) -> None:
    store = faulty(StoreFault(name="slow", kind="slow", seconds=0.1, operations={"get"}))
    store.put("a/b", b"c")
    start = time.monotonic()
    assert store.get("a/b") == b"c"
    assert time.monotonic() - start >= 0.1


def test_an_operation_whose_answer_is_lost_was_done(faulty: Faulty) -> None:
    store = faulty(StoreFault(name="lost", kind="lost", operations={"rename"}))
    with pytest.raises(StoreUnavailableError):
        store.create("a/b", b"c")
    assert store.get("a/b") == b"c"
    with pytest.raises((AlreadyExistsError, StoreUnavailableError)):
        store.create("a/b", b"other")
    assert store.get("a/b") == b"c"


def test_a_round_that_finds_no_room_leaves_no_files_however_often_it_is_tried(
    faulty: Faulty, tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    loop.learn(stream(WINDOW))
    before = loop.store.list()
    # Small files still find room: one put of three is refused.
    faulty(StoreFault(name="full", kind="full", rate=0.3, seed=4))
    outcomes = [_does(lambda: loop.learn(stream(WINDOW, start=WINDOW))) for _ in range(3)]
    assert not any(outcomes)
    assert loop.store.list() == before
    faulty()
    loop.learn(stream(WINDOW, start=WINDOW))


@pytest.mark.parametrize("seed", range(3))
def test_two_workers_on_a_store_that_fails_and_loses_answers_learn_each_window_once(
    faulty: Faulty, tmp_path: Path, tiny_encoder_folder: Path, seed: int
) -> None:
    windows = [stream(WINDOW, start=WINDOW * n) for n in range(6)]
    plain = Loop(tmp_path / "plain", tiny_encoder_folder, gate=ALWAYS)
    for window in windows:
        plain.learn(window)

    faulty(
        StoreFault(name="error", kind="error", rate=0.1, seed=seed),
        StoreFault(name="lost", kind="lost", rate=0.1, seed=seed),
    )
    loop = Loop(tmp_path / "faulty", tiny_encoder_folder, gate=ALWAYS)
    workers = [loop.learner, loop.new_learner()]
    retries = sum(
        learn_until_known(loop, workers[(turn + seed) % 2], window)
        for turn, window in enumerate([*windows, *windows])
    )
    assert retries > 0
    faulty()
    assert loop.lineage.sequences() == list(range(len(windows)))
    taught = [name for n in loop.lineage.sequences() for name in loop.lineage.entry(n).windows]
    assert taught == [a_window(window).window.window_id for window in windows]
    for learner in (*workers, loop.new_learner()):
        learned, wanted = loop.state(learner).statistics, plain.state().statistics
        assert learned.to_bytes() == wanted.to_bytes()


def learn_until_known(loop: Loop, worker: Learner, records: list[Record]) -> int:
    """Learn a window as the training role does: again until the lineage accounts for it."""
    retries = 0
    while True:
        try:
            if worker.unaccounted(TASK, [a_window(records).window], loop.config):
                worker.increment(TASK, [a_window(records)], loop.config)
        except RetryError:
            retries += 1
        else:
            return retries


def _does(work: Callable[[], object]) -> bool:
    try:
        work()
    except RetryError:
        return False
    return True
