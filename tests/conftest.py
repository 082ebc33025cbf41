"""The broker, the settings and the real data that tests share, and what holds after each test."""

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports transformers
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["OMP_NUM_THREADS"] = "2"  # torch too: tests share the cores with a broker and roles

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A script's background job: what tests start, and interrupt, would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
from mode.threads import WorkerThread

from consumers.broker import Broker, open_broker
from consumers.broker.jars import missing_tools
from consumers.settings import REPRODUCIBLE, Settings, extend_environment
from consumers.topics_admin import ensure_topics

extend_environment(REPRODUCIBLE)  # before a test starts CUDA

REPOSITORY = Path(__file__).parents[1]
IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}


def absent(what: str) -> None:
    """Skip on a laptop, fail in CI: a check that never ran must not look like one that passed."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


def needs_local_kafka() -> None:
    """For a test that must kill its broker, and therefore needs one of its own."""
    if fault := missing_tools():
        absent(f"no broker of its own for this test: {fault}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the broker or the real data, so that `-m 'not broker'` finds all of it."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & {"kafka", "settings"}:
            item.add_marker("broker")
        if "shared_data" in names:
            item.add_marker("shared")


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """No thread outlives its test: it would keep the process, or talk to a broker that is gone."""
    before = set(threading.enumerate())
    yield
    left = [
        each
        for each in threading.enumerate()
        if each not in before and (not each.daemon or isinstance(each, WorkerThread))
    ]
    for each in left:
        each.join(5)
    left = [each for each in left if each.is_alive()]
    assert not left, f"still running: {left}"


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real broker for the whole session: the one in KAFKA_BOOTSTRAP_SERVERS or a local one."""
    settings = Settings()
    if not settings.broker_given and (fault := missing_tools()):
        absent(f"no broker for the tests: {fault}")
    with open_broker(settings, folder=tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def settings(kafka: Broker, tmp_path: Path) -> Settings:
    """Settings of an installation of its own: fresh prefix, topics of 2 partitions, empty store."""
    made = Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        prefix=f"t{uuid.uuid4().hex[:10]}-",
        partitions=2,
        store=str(tmp_path / "store"),
        cache=tmp_path / "cache",
        threads=2,
        device="cpu",
        session_timeout_seconds=6.0,
    )
    ensure_topics(made)
    return made


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real data sets (design 6)."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        absent(f"the real data sets are not at {folder}")
    return folder
