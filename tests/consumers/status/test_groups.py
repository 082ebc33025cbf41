"""What the broker says of the groups of the roles."""

import pytest
from kafka.errors import CoordinatorNotAvailableError

from consumers.status import groups


def test_a_broker_that_makes_the_topic_of_groups_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Exception | str] = [CoordinatorNotAvailableError("not yet"), "described"]

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert groups._once_there_is_a_coordinator(ask) == "described"

    monkeypatch.setattr(groups, "COORDINATOR_SECONDS", -1.0)
    answers.append(CoordinatorNotAvailableError("never"))
    with pytest.raises(CoordinatorNotAvailableError):
        groups._once_there_is_a_coordinator(ask)
