"""`freshet models` on a store that a real loop has written."""

import json
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer
from typer.testing import CliRunner

from consumers.models_cli import app
from consumers.stored_rounds import UnknownTaskError
from consumers.who import this_user
from model.config import GateConfig
from model.errors import ConfigError
from model.standalone import ExportRefusedError
from tests.model.loop import TASK, Loop, stream
from tests.model.tiny import write_tiny_encoder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with two rounds of one task."""
    folder = tmp_path_factory.mktemp("models")
    loop = Loop(folder, write_tiny_encoder(folder / "encoder"))
    loop.learn(stream(60))
    loop.learn(stream(60, start=60))
    return loop.store.uri


def run(*arguments: str, store: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--store", store])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_list_shows_every_round_and_which_serves(store: str) -> None:
    lines = [line for line in run("list", store=store).splitlines() if "increment" in line]

    assert len(lines) == 2
    assert [" * " in line for line in lines] == [False, True]


def test_list_names_a_damaged_lineage_and_lists_the_others(store: str, tmp_path: Path) -> None:
    copied = shutil.copytree(urlsplit(store).path, tmp_path / "store")
    (damaged := copied / "tasks" / "0" / "lineage").mkdir(parents=True)
    (damaged / "00000000.json").write_text("{}", encoding="utf-8")

    done = CliRunner().invoke(app, ["list", "--store", str(copied)])

    assert done.exit_code == 1
    assert "freshet: 0: tasks/0/lineage/00000000.json is not a lineage entry" in done.output
    assert done.output.count("increment") == 2


def test_list_as_json_gives_the_entries(store: str) -> None:
    entries = [json.loads(line) for line in run("list", "--json", store=store).splitlines()]

    assert [(entry["task"], entry["sequence"]) for entry in entries] == [(TASK, 0), (TASK, 1)]


def test_show_names_the_offsets_that_a_version_learned(store: str) -> None:
    shown = run("show", TASK, "0", store=store)

    assert "labeled-texts/0/0-60" in shown
    assert "first version beats" in shown
    assert "duplicates" not in shown, "there were none"
    assert "drift" not in shown


def test_show_takes_what_serves_where_no_round_is_named(store: str) -> None:
    assert f"{TASK}, round 1" in run("show", TASK, store=store)


def test_show_says_how_champion_and_candidate_answer(store: str) -> None:
    lines = {
        line.split()[0] + " " + line.split()[1]: line
        for line in run("show", TASK, "1", store=store).splitlines()
        if len(line.split()) > 2
    }

    assert all(" > " in lines[f"│ {name}"] for name in ("macro", "ROC", "calibration"))
    assert "│ worst" in lines


def test_show_draws_the_version_and_the_way_to_it(store: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    run("show", TASK, "1", "--plots", str(tmp_path / "new"), "--format", "svg", store=store)

    drawn = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.svg")}
    assert set(drawn) == {
        "confusion",
        "roc",
        "reliability",
        "learning-curve",
        "forgetting-curves",
        "accuracy-matrix",
    }
    assert all(f"{TASK}, round 1" in text for text in drawn.values())
    assert "records of round 0" in drawn["forgetting-curves"]
    assert ">prequential<" in drawn["learning-curve"]


def test_without_matplotlib_pictures_name_the_extra_that_they_need(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("consumers.plots")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("consumers.plots", raising=False)
    monkeypatch.delitem(sys.modules, "consumers.version_pictures", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(ConfigError, match="the extra `plots`"):
        run("show", TASK, "--plots", str(tmp_path), store=store)


def test_diff_shows_only_what_differs(store: str) -> None:
    shown = run("diff", TASK, "0", "1", store=store)

    assert "learned from" in shown
    assert "labels" not in shown


def test_an_unknown_task_is_an_error_that_names_the_known_ones(store: str) -> None:
    with pytest.raises(UnknownTaskError, match="it has: prices"):
        run("show", "nope", store=store)
    with pytest.raises(UnknownTaskError, match="it has: prices"):
        run("show", "nope", "1", store=store)


def test_an_unknown_round_is_an_error(store: str) -> None:
    with pytest.raises(UnknownTaskError, match="no round 9"):
        run("show", TASK, "9", store=store)


def test_rollback_writes_an_entry_and_says_that_no_broker_heard_of_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("rollback")
    loop = Loop(folder, write_tiny_encoder(folder / "encoder"), gate=GateConfig(obey=False))
    loop.learn(stream(60))
    loop.learn(stream(60, start=60))
    monkeypatch.setattr("consumers.announcer._connected", lambda _: (None, "nobody answers"))

    shown = run("rollback", TASK, "--who", "me", "--why", "a test", store=loop.store.uri)

    assert f"{TASK}: entry 2 serves; me rolled version 1 back to version 0: a test" in shown
    tip = loop.lineage.tip()
    assert tip is not None
    assert (tip.kind, tip.serving) == ("rollback", 2)
    assert "not announced (nobody answers); the train role announces it" in shown

    shown = run("rollback", TASK, "1", store=loop.store.uri)  # as short as it goes
    assert f"{this_user()} rolled version 2 back to version 1: no reason given" in shown


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Two increments and a refresh between them."""
    folder = tmp_path_factory.mktemp("refreshed")
    loop = Loop(folder, write_tiny_encoder(folder / "encoder"), gate=GateConfig(obey=False))
    loop.learn(stream(120))
    assert loop.refresh(stream(120)).outcome.value == "promoted"
    loop.learn(stream(60, start=120))
    return loop


def served(folder: Path, texts: list[str]) -> tuple[list[str], np.ndarray]:
    """Labels and scores by the three files alone, as a stranger would run them."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    labels = json.loads((folder / "labels.json").read_text())["labels"]
    graph = str(folder / "model.onnx")
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    scores = []
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids])
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        scores.append(session.run(["scores"], feeds)[0][0])
    return labels, np.array(scores)


def exported(loop: Loop, *arguments: str, out: Path) -> str:
    return run("export", TASK, *arguments, "--out", str(out), store=loop.store.uri)


def test_an_exported_version_scores_as_the_one_that_serves(refreshed: Loop, tmp_path: Path) -> None:
    said = exported(refreshed, out=tmp_path / "out")
    state = refreshed.state()
    texts = [record.text for record in stream(6)]
    labels, scores = served(tmp_path / "out", texts)

    assert "holds version 2; torch and it differ by" in said
    assert labels == list(state.labels)
    assert state.head is not None
    expected = state.head.scores(state.encoder.features(texts))
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_an_exported_ensemble_is_the_mean_of_versions_with_other_encoders(
    refreshed: Loop, tmp_path: Path
) -> None:
    """Of two versions under one encoder, 1 and 2, the newer is a member."""
    said = exported(refreshed, "--ensemble", "2", out=tmp_path / "both")
    texts = [record.text for record in stream(6)]
    for version in ("0", "2"):
        exported(refreshed, version, out=tmp_path / version)
    alone = [served(tmp_path / version, texts)[1] for version in ("2", "0")]

    assert "holds version 2, 0;" in said
    assert "held-out records: ensemble " in said
    np.testing.assert_allclose(served(tmp_path / "both", texts)[1], np.mean(alone, 0), atol=1e-5)


def test_an_ensemble_of_more_encoders_than_there_are_is_refused(
    refreshed: Loop, tmp_path: Path
) -> None:
    with pytest.raises(ExportRefusedError, match="have 2 encoders, fewer than the 3"):
        exported(refreshed, "--ensemble", "3", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_version_that_was_rolled_back_is_no_member(tmp_path: Path) -> None:
    loop = Loop(tmp_path, write_tiny_encoder(tmp_path / "encoder"), gate=GateConfig(obey=False))
    loop.learn(stream(120))
    loop.refresh(stream(120))
    loop.learner.rollback(TASK, None, loop.config, who="me", why="a test", log=None)

    assert "holds version 0;" in exported(loop, out=tmp_path / "out")
    with pytest.raises(ExportRefusedError, match="have 1 encoders"):
        exported(loop, "--ensemble", "2", out=tmp_path / "none")


def test_an_entry_that_was_never_promoted_is_refused(tmp_path: Path) -> None:
    loop = Loop(tmp_path, write_tiny_encoder(tmp_path / "encoder"))
    loop.learn(stream(1))
    with pytest.raises(ExportRefusedError, match="entry 0 of prices was never promoted"):
        exported(loop, "0", out=tmp_path / "none")
