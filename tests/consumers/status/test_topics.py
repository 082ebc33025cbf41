"""What waits on the topics, counted."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from consumers.dead_letters import dead_letter_of
from consumers.peek import Peek
from consumers.settings import Settings
from consumers.status import topics
from consumers.status.topics import commands_given, dead_letters, paused, refreshes_asked
from schemas.control import Action, Command
from schemas.topics import Topic
from tests.consumers.raw import raw

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DEAD = "labeled-texts.dead-letters"


class OneTopic:
    """A `Peek` at the letters of labeled texts; its times are offsets."""

    def __init__(self, *values: bytes | None, since: int = 0) -> None:
        self.records_ = [raw(value, topic=DEAD, offset=n) for n, value in enumerate(values)]
        self.first = since

    def ends(self, topic: Topic) -> dict[int, int]:
        return {0: len(self.records_) if topic.name == DEAD else 0}

    def since(self, topic: Topic, _at: datetime) -> dict[int, int]:
        return {0: self.first if topic.name == DEAD else 0}

    def records(self, topic: Topic, first: Mapping[int, int], *, most: int) -> Iterator[Any]:
        if topic.name == DEAD:
            yield from self.records_[first[0] : first[0] + most]


class Commands:
    """A `Peek` at commands, a minute apart."""

    def __init__(self, *commands: Command) -> None:
        self.commands = commands

    def starts(self, _topic: Topic) -> dict[int, int]:
        return {0: 0}

    def records(self, _topic: Topic, _first: Mapping[int, int], *, most: int) -> Iterator[Any]:
        for minute, command in enumerate(self.commands[:most]):
            yield raw(command.encode(), topic="control", offset=minute, timestamp=minute * 60_000)


def letter(offset: int) -> bytes:
    record = raw(b"{", offset=offset)
    return dead_letter_of(record, reason="invalid_json", detail="why", now=NOW).encode()


def counted(held: OneTopic) -> int:
    found = dead_letters(cast("Peek", held), Settings(prefix="eu."), NOW)
    others = {f"eu.{name}.dead-letters": 0 for name in ("training-windows", "texts")}
    assert found == {f"eu.{DEAD}": found[f"eu.{DEAD}"], **others}
    return found[f"eu.{DEAD}"]


def test_a_record_counts_once_however_often_its_letter_was_published() -> None:
    assert counted(OneTopic(letter(1), letter(3), letter(1))) == 2


def test_what_is_no_letter_or_was_set_aside_before_does_not_count() -> None:
    assert counted(OneTopic(letter(1), letter(2), b"?", None, letter(3), since=1)) == 2


def test_letters_behind_those_that_are_looked_at_count_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topics, "MOST_LOOKED_AT", 2)

    assert counted(OneTopic(letter(0), letter(1), letter(1), letter(2), letter(2), since=1)) == 3


def test_the_last_refresh_that_was_asked_for_counts() -> None:
    given = (
        (Action.REFRESH, "mail", "a"),
        (Action.REFRESH, "mail", "b"),
        (Action.PAUSE, "news", "c"),
        (Action.RESUME, "mail", "d"),
        (Action.REFRESH, "mail", "a"),  # sent again
    )
    held = Commands(
        *(
            Command(command_id=key, action=action, task=task, who="ops", why="x", given_at=NOW)
            for action, task, key in given
        )
    )

    commands = commands_given(cast("Peek", held))

    assert [each.command.command_id for each in commands] == ["a", "b", "c", "d"]
    assert refreshes_asked(commands) == {"mail": datetime(1970, 1, 1, 0, 1, tzinfo=UTC)}
    assert set(paused(commands)) == {"news"}
