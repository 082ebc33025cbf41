"""`freshet models rebuild` on a store that a real loop has written."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from consumers.models_cli import app
from model.rebuild import RebuildRefusedError
from tests.model.loop import ALWAYS, TASK, Loop, MemoryLog, stream
from tests.model.tiny import write_tiny_encoder

RECORDS = stream(120)


class ClosableLog(MemoryLog):
    """As the command opens and closes it."""

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Two increments and the way back to the first."""
    folder = tmp_path_factory.mktemp("rebuild")
    loop = Loop(folder, write_tiny_encoder(folder / "encoder"), gate=ALWAYS)
    loop.learn(RECORDS[:60])
    loop.learn(RECORDS[60:])
    loop.learner.rollback(TASK, None, loop.config, who="me", why="a test")
    return loop


@pytest.fixture
def rebuilds(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on a log that holds these records; gives status and output."""

    def run(version: int, *arguments: str, deleted_below: int = 0) -> tuple[int, str]:
        monkeypatch.setattr(
            "consumers.rebuild.SpanLog",
            lambda _settings: ClosableLog(RECORDS, deleted_below=deleted_below),
        )
        monkeypatch.setenv("FRESHET_CACHE", str(loop.templates))
        monkeypatch.setenv("FRESHET_DEVICE", "cpu")
        given = ["rebuild", TASK, str(version), "--store", loop.store.uri, *arguments]
        done = CliRunner().invoke(app, given)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    return run


def test_a_version_is_rebuilt_and_said_to_be_the_same(rebuilds: Any, loop: Loop) -> None:
    status, said = rebuilds(1)
    version = loop.lineage.entry(1).version

    assert status == 0
    assert f"{TASK}, version 1 (increment) rebuilt: the same" in said
    assert version is not None
    assert f"head: equal, {version.head.sha256}" in said
    assert "environment" not in said
    assert "{" not in said  # progress is told in words
    assert "encoding the window, " in said
    assert loop.lineage.sequences() == [0, 1, 2]


def test_a_rollback_points_to_the_version_that_it_restored(rebuilds: Any) -> None:
    status, said = rebuilds(2)

    assert status == 0
    assert "its files are those of version 0, which can be rebuilt too" in said


def test_settings_that_have_changed_since_are_named_and_not_used(
    rebuilds: Any, tmp_path: Path
) -> None:
    config = tmp_path / "tasks.yaml"
    config.write_text(yaml.safe_dump({"defaults": {"holdout": {"share": 0.2}}}))
    status, said = rebuilds(1, "--config", str(config))

    assert status == 0
    assert "settings of today, which were not used:" in said
    assert "holdout.share: 0.3 then, 0.2 now" in said


def test_another_number_of_threads_is_named(
    rebuilds: Any, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = loop.lineage.entry(1).environment
    assert environment is not None
    other = environment.threads + 1
    monkeypatch.setenv("FRESHET_THREADS", str(other))
    _, said = rebuilds(1)

    assert f"threads: {environment.threads} then, {other} now" in said


def test_a_span_that_retention_has_deleted_is_an_error(rebuilds: Any) -> None:
    with pytest.raises(RebuildRefusedError, match=f"version 1 of {TASK} cannot be rebuilt: "):
        rebuilds(1, deleted_below=100)
