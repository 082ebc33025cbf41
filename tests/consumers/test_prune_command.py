"""`freshet models prune`, and what `show` says of a round that was pruned."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from consumers import answering
from consumers.models_cli import app
from consumers.peek import BrokerSilentError
from consumers.stored_rounds import UnknownTaskError
from model.artifacts import ArtifactStore
from model.errors import ConfigError
from tests.model.written import TASK, Written


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(ArtifactStore(str(tmp_path / "store")), horizon=1, stays=1).rounds(5)


def run(written: Written, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--store", written.store.uri])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def least(folder: Path) -> tuple[str, str]:
    """Options that keep as little as may be."""
    config = folder / "tasks.yaml"
    retention = {"versions": 1, "ensemble": 1, "serving_hours": 0}
    config.write_text(yaml.safe_dump({"defaults": {"retention": retention}}), encoding="utf-8")
    return "--config", str(config)


def test_a_dry_run_tells_what_goes_and_why_the_rest_stays(written: Written, tmp_path: Path) -> None:
    files = written.store.list()

    told = run(written, "prune", "--dry-run", "--by-age-alone", *least(tmp_path))

    assert written.store.list() == files
    assert f"{TASK} 4 stays: the next round begins with it (resume); it serves (restore)" in told
    assert "files of 4 rounds go" in told
    assert "nothing was deleted" in told


def test_a_round_that_was_pruned_is_shown_with_its_figures_and_as_pruned(
    written: Written, tmp_path: Path
) -> None:
    assert "files deleted" in run(written, "prune", "--by-age-alone", *least(tmp_path))

    shown = " ".join(run(written, "show", TASK, "1").split())
    assert "gone are " in shown
    assert "head.onnx, head.st" in shown
    assert "promoted" in shown
    assert "gone are" not in run(written, "show", TASK)
    assert len(run(written, "list", TASK).splitlines()) >= 5


def test_an_unknown_state_of_serving_is_an_error_that_names_the_way_out(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: Any) -> Any:
        raise BrokerSilentError("no broker answers at localhost:9092")

    monkeypatch.setattr(answering, "Peek", silent)
    with pytest.raises(ConfigError, match="--by-age-alone"):
        run(written, "prune")


@pytest.mark.parametrize("arguments", [(), ("--dry-run", "--by-age-alone")])
def test_a_task_that_is_not_there_is_refused_before_the_broker_is_asked(
    written: Written, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "Peek", None)
    files = written.store.list()
    with pytest.raises(UnknownTaskError, match=f"'nosuch' in .*; it has: {TASK}"):
        run(written, "prune", "nosuch", *arguments)
    assert written.store.list() == files
