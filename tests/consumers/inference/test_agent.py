"""The serve role answers each text once and in order, whatever happens to versions."""

import asyncio
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from consumers.inference import agent
from consumers.inference.agent import hold_seconds
from consumers.inference.events import FollowEnded
from model.errors import StopError
from schemas.dead_letter import DeadLetter
from schemas.prediction import Prediction
from schemas.topics import TEXTS_DEAD
from tests.consumers.inference.stage import AT, P0, P1, Stage, batch_of, play, text_of
from tests.model.tiny_onnx import WORDS, expected


def test_texts_are_answered_in_order_under_their_keys_and_then_committed() -> None:
    words = [WORDS[index % 3] for index in range(600)]

    async def scenario(stage: Stage) -> None:
        stage.versions.swap(4)
        await stage.serve.batch(batch_of(P0, 100, [text_of(word) for word in words]))
        await stage.kafka.until_answered(600)

    kafka = play(scenario)
    assert [one.key for one in kafka.published] == [b"key-%d" % n for n in range(100, 700)]
    assert [one.label for one in kafka.predictions()] == [expected(w, turns=4) for w in words]
    assert {one.version for one in kafka.predictions()} == {4}
    assert kafka.predictions()[0].id == "texts/0/100"
    assert dict(kafka.published[0].headers)["ce_type"] == b"freshet.predicted.v1"
    # Never ahead of what was published, and in the end behind the last text.
    assert all(offset - 100 <= published for _, offset, published in kafka.committed)
    assert kafka.committed[-1][:2] == (P0, 700)


def test_a_text_keeps_its_own_id() -> None:
    async def scenario(stage: Stage) -> None:
        stage.versions.swap(1)
        await stage.serve.batch(batch_of(P0, 0, [text_of("beta", of="mine")]))
        await stage.kafka.until_answered(1)

    assert [one.id for one in play(scenario).predictions()] == ["mine"]


def test_a_text_without_a_version_holds_its_partition_and_no_other() -> None:
    async def scenario(stage: Stage) -> None:
        stage.versions.swap(1)
        held = [text_of("alpha"), text_of("beta", task="new"), text_of("gamma")]
        await stage.serve.batch(batch_of(P0, 0, held))
        await stage.serve.batch(batch_of(P1, 0, [text_of("beta")] * 5))
        await stage.kafka.until_answered(6)
        assert (P0, 1) in [(place, offset) for place, offset, _ in stage.kafka.committed]
        stage.versions.swap(0, task="new")
        await stage.kafka.until_answered(8)

    kafka = play(scenario)
    of_p0 = [one for one in kafka.predictions() if one.id.startswith("texts/0/")]
    assert [(one.task, one.version) for one in of_p0] == [("colors", 1), ("new", 0), ("colors", 1)]


def test_a_text_whose_time_is_up_is_a_dead_letter_and_the_partition_goes_on() -> None:
    async def scenario(stage: Stage) -> None:
        stage.versions.swap(1)
        texts = [text_of("alpha", task="never"), text_of("beta")]
        await stage.serve.batch(batch_of(P0, 0, texts))
        await stage.kafka.until_answered(2)

    kafka = play(scenario, wait_for_model_seconds=0.2)
    letter, prediction = kafka.answers()
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.offset, letter.topic) == ("no_model", 0, "texts")
    assert letter.value == text_of("alpha", task="never")
    assert isinstance(prediction, Prediction)


def test_bad_records_are_dead_letters_between_the_answers() -> None:
    async def scenario(stage: Stage) -> None:
        stage.versions.swap(1)
        values = [b"{", text_of("alpha"), b'{"task": "colors", "text": " "}', text_of("beta")]
        await stage.serve.batch(batch_of(P0, 0, values))
        await stage.kafka.until_answered(4)

    kafka = play(scenario)
    kinds = [type(answer) for answer in kafka.answers()]
    assert kinds == [DeadLetter, Prediction, DeadLetter, Prediction]
    assert kafka.published[0].topic is TEXTS_DEAD
    assert kafka.committed[-1][1] == 4


def test_answers_that_could_not_be_published_are_published_later_and_committed_then() -> None:
    async def scenario(stage: Stage) -> None:
        stage.versions.swap(1)
        await stage.serve.batch(batch_of(P0, 0, [text_of("alpha"), text_of("beta")]))
        await stage.kafka.until_answered(2)

    kafka = play(scenario, failures=2)
    assert [one.id for one in kafka.predictions()] == ["texts/0/0", "texts/0/1"]
    assert kafka.committed == [(P0, 2, 2)]


def test_a_partition_that_is_taken_away_is_let_go_and_answered_when_it_comes_back() -> None:
    async def scenario(stage: Stage) -> None:
        batch = batch_of(P0, 0, [text_of("alpha")])
        await stage.serve.batch(batch)
        await stage.serve.revoked(frozenset({P0}))
        await stage.serve.batch(batch)  # late, of the older generation
        stage.versions.swap(1)
        await stage.serve.assigned(frozenset({P0}))
        await stage.serve.batch(batch)
        await stage.kafka.until_answered(1)

    kafka = play(scenario)
    assert [one.id for one in kafka.predictions()] == ["texts/0/0"]
    assert [offset for _, offset, _ in kafka.committed] == [1]


def test_swaps_between_texts_lose_and_repeat_none() -> None:
    words = [WORDS[index % 3] for index in range(900)]

    async def scenario(stage: Stage) -> None:
        for number in range(9):
            stage.versions.swap(number)
            values = [text_of(word) for word in words[number * 100 : number * 100 + 100]]
            await stage.serve.batch(batch_of(P0, number * 100, values))
            await asyncio.sleep(0)
        await stage.kafka.until_answered(900)

    kafka = play(scenario)
    answers = kafka.predictions()
    assert [one.id for one in answers] == [f"texts/0/{offset}" for offset in range(900)]
    for word, one in zip(words, answers, strict=True):
        assert one.label == expected(word, turns=one.version)
    assert [one.version for one in answers] == sorted(one.version for one in answers)


def test_a_flood_of_bad_records_stops_the_role() -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(StopError):
            await stage.serve.batch(batch_of(P0, 0, [b"{"] * 200))

    assert play(scenario, flood_records=100).published == []


def test_the_role_fails_when_its_follower_has_ended() -> None:
    async def scenario(stage: Stage) -> None:
        stage.versions.tell(FollowEnded("ZeroDivisionError"))
        await stage.kafka.until(lambda: bool(stage.kafka.failed))

    assert "ZeroDivisionError" in str(play(scenario).failed[0])


def test_a_role_that_holds_a_text_stops_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.serve.batch(batch_of(P0, 0, [text_of("alpha")]))
        await asyncio.wait_for(stage.versions.looked.wait(), 5)

    began = time.monotonic()
    kafka = play(scenario)
    assert time.monotonic() - began < 5
    assert kafka.published == []
    assert kafka.committed == []


def test_it_is_ready_with_its_first_version_and_says_which_one_answers() -> None:
    async def scenario(stage: Stage) -> None:
        before = stage.serve.condition()
        assert before.not_ready == "no version is loaded yet"
        stage.versions.swap(1)
        after = stage.serve.condition()
        assert (after.not_ready, after.tasks) == ("", {"colors": {"version": 1}})

    play(scenario)


def test_a_text_that_waits_for_its_version_is_work_that_beats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent, "LOOK_AGAIN_SECONDS", 0.01)

    async def scenario(stage: Stage) -> None:
        stage.versions.beat_at = time.monotonic() + 3600
        await stage.serve.batch(batch_of(P0, 0, [text_of("alpha")]))
        first = stage.serve.condition()
        assert first.working_on == "answers"
        async with asyncio.timeout(20):
            while stage.serve.condition().beat_at <= first.beat_at:
                stage.versions.looked.clear()
                await stage.versions.looked.wait()

    play(scenario)


def test_a_follower_that_is_silent_sets_the_beat() -> None:
    async def scenario(stage: Stage) -> None:
        stage.versions.beat_at = 7.0
        condition = stage.serve.condition()
        assert (condition.working_on, condition.beat_at) == ("following versions", 7.0)

    play(scenario)


@pytest.mark.parametrize(
    ("appended", "started", "left"),
    [(100, 0, 30), (60, 0, -10), (0, 100, 30), (500, 0, 30)],
)
def test_a_text_is_held_from_when_it_was_appended_or_the_role_started(
    appended: int, started: int, left: int
) -> None:
    seconds = hold_seconds(
        appended_at=AT + timedelta(seconds=appended),
        started_at=AT + timedelta(seconds=started),
        running_seconds=100 - started,
        now=AT + timedelta(seconds=100),
        wait_seconds=30,
    )
    assert seconds == left


def test_a_clock_that_jumps_ahead_uses_up_no_text_s_time() -> None:
    seconds = hold_seconds(
        appended_at=AT,
        started_at=AT,
        running_seconds=2,
        now=AT + timedelta(days=1),
        wait_seconds=30,
    )
    assert seconds == 28


def test_the_role_starts_without_torch() -> None:
    code = (
        "import sys, consumers.inference.agent\n"
        "print([m for m in ('torch', 'transformers', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
