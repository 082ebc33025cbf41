"""What of a status is wrong, and what only looks so."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.settings import Settings, load_settings
from consumers.status.facts import Answers, Gathered, HeldText, Pause, Status, Waiting, Wrong
from consumers.status.wrong import Limits, told, what_is_wrong
from tests.consumers.status.made import a_group, a_status, a_task, ago


def wrong(status: Status, settings: Settings | None = None, **limits: int) -> list[Wrong]:
    given = Limits(**limits)  # type: ignore[arg-type]
    return list(what_is_wrong(status, settings=settings or Settings(), limits=given))


def kinds(status: Status, settings: Settings | None = None) -> list[str]:
    return [one.what for one in wrong(status, settings)]


def waits(**span: float) -> Waiting:
    return Waiting(windows=2, records=400, since=ago(**span))


def test_nothing_is_wrong_where_roles_run_and_windows_are_open() -> None:
    gathered = Gathered(records=120, since=ago(minutes=8))
    reads = a_group("windows", lag=120, oldest_at=ago(minutes=8))
    status = a_status(a_task(gathered=gathered), groups=(reads, a_group("train")))

    assert wrong(status) == []


def test_a_missing_topic_and_a_group_without_members_are_wrong() -> None:
    status = a_status(missing_topics=("control",), groups=(a_group("serve", members=0),))

    assert kinds(status) == ["topic_missing", "no_member"]
    assert wrong(status)[1].detail == "nobody is in the group freshet-serve: no serve role runs"


@pytest.mark.parametrize(("minutes", "found"), [(10, []), (16, ["stalled"])])
def test_a_window_that_waits_too_long_is_a_stall(minutes: float, found: list[str]) -> None:
    assert kinds(a_status(a_task(waiting=waits(minutes=minutes)))) == found


def test_a_paused_task_is_told_as_paused_and_not_as_stalled() -> None:
    pause = Pause(who="ops", why="the labels are in doubt", since=ago(days=2))
    status = a_status(a_task(waiting=waits(days=1), paused=pause))

    [one] = wrong(status)
    assert one.what == "paused"
    assert one.detail == "by ops since 02 Mar 12:00 UTC: the labels are in doubt"


@pytest.mark.parametrize(("hours", "found"), [(20, []), (25, ["stalled"])])
def test_an_offline_task_may_wait_for_its_schedule(
    hours: float, found: list[str], tmp_path: Path
) -> None:
    config = tmp_path / "tasks.yaml"
    config.write_text(yaml.safe_dump({"tasks": {"prices": {"mode": "offline"}}}), encoding="utf-8")
    status = a_status(a_task(waiting=waits(hours=hours)))

    assert kinds(status, load_settings(config=config)) == found


def test_a_window_open_far_longer_than_it_may_be_is_a_stall_of_the_windows_role() -> None:
    reads = a_group("windows", lag=3, oldest_at=ago(minutes=13), topic="labeled-texts")

    [one] = wrong(a_status(a_task(), groups=(reads,)))
    assert (one.what, one.where) == ("stalled", "windows")
    assert one.detail == "3 records of labeled-texts wait, the oldest for 13 min"


def test_texts_that_wait_longer_than_for_a_model_are_a_stall_of_the_serve_role() -> None:
    reads = a_group("serve", lag=7, oldest_at=ago(minutes=8), topic="texts")

    assert kinds(a_status(a_task(), groups=(reads,))) == ["stalled"]


def test_dead_letters_and_rounds_rejected_in_a_row_are_told() -> None:
    letters = {"labeled-texts.dead-letters": 4, "texts.dead-letters": 0}
    status = a_status(a_task(rejected_in_a_row=3), dead_letters=letters)

    assert [one.detail for one in wrong(status)] == [
        "4 records in the last 24 h; see `freshet dead-letters list`",
        "3 rounds in a row were rejected: no worse on both",
    ]
    assert kinds(a_status(a_task(rejected_in_a_row=2))) == []


def test_an_encoder_that_knows_what_was_to_be_forgotten_is_wrong() -> None:
    [found] = wrong(a_status(a_task(forgotten_in_encoder=True)))

    assert found.what == "forgotten_in_encoder"
    assert "freshet forget TASK --refresh" in found.detail


@pytest.mark.parametrize(
    ("version", "minutes", "found"),
    [(11, 10, ["older_version_answers"]), (11, 59, []), (12, 10, []), (13, 10, [])],
)
def test_an_older_version_that_goes_on_answering_is_wrong_once_a_swap_had_time(
    version: int, minutes: float, found: list[str]
) -> None:
    answers = Answers(version=version, at=ago(minutes=minutes))

    assert kinds(a_status(a_task(answers=answers))) == found


def test_what_cannot_be_looked_at_comes_first() -> None:
    silent = Wrong(what="broker_silent", where="broker", detail="no broker answers")
    status = a_status(a_task(rejected_in_a_row=5), groups=(), faults=(silent,))

    assert wrong(status)[0] == silent
    assert len(wrong(status)) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (86_400, "1 d")],
)
def test_a_span_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert told(timedelta(seconds=seconds)) == words


def held(task: str = "ticketz", *, behind: int = 4, **span: float) -> HeldText:
    return HeldText(task=task, place="texts/0", since=ago(**span), behind=behind)


def test_a_text_for_a_task_without_a_version_holds_its_partition_and_is_named() -> None:
    [one] = wrong(a_status(a_task(), first_texts=(held(seconds=40),)))

    assert (one.what, one.where) == ("held", "texts/0")
    assert one.detail == (
        "a text for ticketz, which has no version, waits for 40 s, and 4 behind it; it is "
        "given up after 300 s. FRESHET_STRICT_TASKS=true refuses texts of tasks that the YAML file "
        "does not name"
    )


def test_a_text_that_no_version_answers_though_one_serves_tells_of_a_refusal() -> None:
    [one] = wrong(a_status(a_task(), first_texts=(held("prices", behind=0, minutes=3),)))

    assert one.detail == (
        "a text for prices waits for 3 min, and none behind it yet, though version 12 serves: did "
        "the serve role refuse it?"
    )


def test_a_text_that_has_only_just_come_is_not_held() -> None:
    texts = (held(seconds=10), held("prices", seconds=100))

    assert wrong(a_status(a_task(), first_texts=texts)) == []


def test_where_nobody_serves_that_is_what_is_wrong() -> None:
    status = a_status(groups=(a_group("serve", members=0),), first_texts=(held(minutes=4),))

    assert kinds(status) == ["no_member"]


def test_a_serve_role_that_catches_up_or_a_version_that_has_just_come_holds_nothing() -> None:
    texts = (held("prices", minutes=50),)
    catches_up = a_task(answers=Answers(version=12, at=ago(seconds=1)))

    assert wrong(a_status(catches_up, first_texts=texts)) == []
    assert wrong(a_status(a_task(serves_since=ago(seconds=5)), first_texts=texts)) == []


@pytest.mark.parametrize(
    ("what", "where"), [("store_silent", "store"), ("lineage_damaged", "ticketz")]
)
def test_that_a_task_has_no_version_is_said_only_where_that_is_known(what: Any, where: str) -> None:
    fault = Wrong(what=what, where=where, detail="it cannot be read")

    status = a_status(faults=(fault,), first_texts=(held(minutes=4),))

    assert wrong(status) == [fault]
