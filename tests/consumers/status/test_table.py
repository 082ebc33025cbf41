"""A status as a person sees it."""

import io

import pytest
from rich.console import Console

from consumers.settings import Settings
from consumers.status.facts import Answers, Gathered, Pause, Status, Waiting
from consumers.status.table import drawn, training
from consumers.status.wrong import Limits, what_is_wrong
from tests.consumers.status.made import NOW, a_group, a_status, a_task, ago, an_attempt


def shown(status: Status, width: int = 80) -> str:
    found = what_is_wrong(status, settings=Settings(), limits=Limits())
    out = io.StringIO()
    console = Console(width=width, file=out)
    console.print(drawn(status.model_copy(update={"wrong": found})))
    return out.getvalue()


def busy() -> Status:
    pause = Pause(who="ops", why="the labels are in doubt", since=ago(days=2))
    return a_status(
        a_task(
            "financial-sentiment",
            gathered=Gathered(records=120, since=ago(minutes=8)),
            waiting=Waiting(windows=2, records=400, since=ago(minutes=3)),
            answers=Answers(version=12, at=ago(minutes=1)),
        ),
        a_task("support-intents", paused=pause),
        groups=(
            a_group("windows", lag=120, oldest_at=ago(minutes=8)),
            a_group("train", lag=2, oldest_at=ago(minutes=3)),
            a_group("serve", members=0),
        ),
    )


def test_tasks_roles_and_faults_fit_into_80_columns() -> None:
    lines = shown(busy()).splitlines()

    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for part in (" 2, 3 min", "120, 8 min", "gathers 120 records", "does not run"):
        assert part in text


def test_what_is_wrong_stands_below_with_its_place() -> None:
    lines = shown(busy()).splitlines()

    assert "! serve: no_member: nobody is in the group freshet-serve: no serve role runs" in lines
    assert any(line.startswith("! support-intents: paused: by ops") for line in lines)
    assert "nothing is wrong" in shown(a_status(a_task()))


def test_what_training_does_is_told_from_what_can_be_seen() -> None:
    waiting = Waiting(windows=1, records=200, since=ago(minutes=1))
    pause = Pause(who="ops", why="a test", since=ago(days=1))

    assert training(a_task(attempt=an_attempt(minutes=1)), NOW) == "writes 13"
    assert training(a_task(attempt=an_attempt(days=1)), NOW) == "no window"
    assert training(a_task(waiting=waiting), NOW) == "has work"
    assert training(a_task(waiting=waiting, paused=pause), NOW) == "paused"
    assert training(a_task(refresh_asked=ago(minutes=1)), NOW) == "refresh asked"
    asked = a_status(a_task("news", refresh_asked=ago(minutes=1)), groups=(a_group("train"),))
    assert "is asked for a refresh of news" in " ".join(shown(asked).split())


@pytest.mark.parametrize(
    ("serves", "lag", "told"),
    [
        (None, 3, "waits for a first version"),
        (None, 0, "waits for texts"),
        (12, 3, "waits for texts"),
    ],
)
def test_serve_says_what_it_waits_for(serves: int | None, lag: int, told: str) -> None:
    status = a_status(a_task(serves=serves), groups=(a_group("serve", lag=lag),))

    assert told in " ".join(shown(status, width=160).split())
