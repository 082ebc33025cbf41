"""`freshet forget`: what is asked, what is done, and what the command says of it."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumers.forget import MOST_ATTEMPTS
from consumers.forget_cli import app
from consumers.forget_words import _versions
from model.denied import NotATextHashError
from model.errors import ConfigError, TipMovedError
from model.forget import UnknownRecordError
from model.learner import Learner
from model.splits import text_hash
from tests.consumers.two_rounds import two_rounds
from tests.model.loop import TASK, Loop, part_of, stream
from tests.model.tiny import write_tiny_encoder

ASKS = ("--who", "me", "--why", "a test")


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    return two_rounds(tmp_path, tiny_encoder_folder, monkeypatch)


@pytest.fixture(scope="module")
def tiny_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "base")


def run(loop: Loop, *arguments: str, given: str | None = None) -> str:
    done = CliRunner().invoke(app, [*arguments, *ASKS, "--store", loop.store.uri], input=given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def a_learned(loop: Loop) -> tuple[str, str]:
    """Id and text of a record."""
    record = next(r for r in stream(60) if part_of(loop, r.id) == "learn")
    return record.id, record.text


def test_it_says_what_was_done_who_learned_it_and_what_still_holds_it(loop: Loop) -> None:
    record_id, text = a_learned(loop)

    shown = run(loop, TASK, "--id", record_id)

    assert f"{TASK}: forgotten with entry 2, a new version, which serves; me had records" in shown
    assert "learned by: versions 0-1" in shown
    assert "encoders that may have been tuned on it: none" in shown
    assert "the log at labeled-texts/0/" in shown
    assert "files of earlier rounds" in shown
    assert "not announced (nobody answers): the train role announces it" in shown
    assert text not in shown
    tip = loop.lineage.tip()
    assert tip is not None
    assert (tip.kind, tip.serving, tip.config) == ("forget", 2, loop.config)


@pytest.mark.parametrize("by", ["--text-hash", "--text-file"])
def test_a_text_is_named_by_its_hash_or_read_where_no_process_list_shows_it(
    loop: Loop, by: str
) -> None:
    _, text = a_learned(loop)

    shown = run(loop, TASK, by, text_hash(text) if by == "--text-hash" else "-", given=f"{text}\n")

    assert "1 subtracted" in shown


def test_a_dry_run_writes_nothing(loop: Loop) -> None:
    shown = run(loop, TASK, "--id", a_learned(loop)[0], "--dry-run")

    assert f"{TASK}: nothing written; would be: 1 subtracted" in shown
    assert loop.lineage.sequences() == [0, 1]


def test_a_second_time_it_says_so(loop: Loop) -> None:
    record_id, _ = a_learned(loop)
    run(loop, TASK, "--id", record_id)

    assert f"{TASK}: denied before; nothing to do" in run(loop, TASK, "--id", record_id)


def test_what_cannot_be_forgotten_is_refused_in_words(loop: Loop) -> None:
    with pytest.raises(UnknownRecordError, match="--unseen"):
        run(loop, TASK, "--id", "nobody")
    with pytest.raises(UnknownRecordError, match=f"it has: {TASK}"):
        run(loop, "nothing", "--id", "nobody")
    with pytest.raises(ConfigError, match="one of --id"):
        run(loop, TASK)
    with pytest.raises(NotATextHashError):
        run(loop, TASK, "--text-hash", "abc")
    assert loop.lineage.sequences() == [0, 1]


def test_a_refresh_is_asked_for_where_the_encoder_was_tuned_on_it(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("consumers.forget._asked", lambda *a, **k: asked.append((a[1], k)))
    record_id, _ = a_learned(loop)
    loop.refresh(stream(120))

    shown = run(loop, TASK, "--id", record_id, "--dry-run")
    assert "--refresh fits one from before" in shown
    assert not asked
    shown = run(loop, TASK, "--id", record_id)
    assert "--refresh has one fitted from before it was" in shown
    shown = run(loop, TASK, "--id", record_id, "--refresh")

    assert "the train role is asked for a refresh" in shown
    assert asked == [(TASK, {"who": "me", "why": "a test"})]

    later = run(loop, TASK, "--refresh")

    assert later.startswith("the train role is asked for a refresh")
    assert len(asked) == 2


def test_an_encoder_that_no_longer_serves_needs_no_refresh(loop: Loop) -> None:
    record_id, _ = a_learned(loop)
    loop.refresh(stream(120))
    loop.learner.rollback(TASK, 1, loop.config, who="ops", why="a test")

    for arguments in (["--dry-run"], ["--dry-run", "--refresh"], ["--refresh"]):
        shown = run(loop, TASK, "--id", record_id, *arguments)
        assert "(of version 2)" in shown
        assert "from before" not in shown, "nothing to mend"
        assert ("no refresh: the encoder that serves" in shown) == ("--refresh" in arguments)


def test_no_refresh_is_asked_for_without_need(loop: Loop) -> None:
    shown = run(loop, TASK, "--id", a_learned(loop)[0], "--refresh")

    assert "no refresh: the encoder that serves was not tuned" in shown


def test_where_an_update_was_faster_it_is_done_again_and_not_for_ever(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_id, _ = a_learned(loop)
    once, tries = Learner.forget, 0

    def overtaken(self: Learner, *arguments: Any, **options: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries <= faster:
            raise TipMovedError("another worker")
        return once(self, *arguments, **options)

    monkeypatch.setattr(Learner, "forget", overtaken)
    faster = MOST_ATTEMPTS
    with pytest.raises(TipMovedError):
        run(loop, TASK, "--id", record_id)
    faster, tries = 2, 0

    assert "1 subtracted" in run(loop, TASK, "--id", record_id)


def test_versions_are_told_as_runs() -> None:
    assert _versions(()) == "no version"
    assert _versions((0, 1, 2, 5, 7, 8)) == "versions 0-2, 5, 7-8"
