"""What a coordinator answers as a whole is an error, not a group without committed offsets."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.protocol.commit import OffsetFetchResponse_v3 as Answer

from consumers.group_errors import heed_group_errors

PLACE = TopicPartition("texts", 0)
GOOD = Answer(0, [("texts", [(0, 41, "", 0)])], 0)
LOADING, NOT_AVAILABLE, NOT_COORDINATOR, NOT_ALLOWED = 14, 15, 16, 30


class Asked:
    """aiokafka's own coordinator over a client that gives these answers, one by one."""

    def __init__(self, *answers: Any) -> None:
        self.left = list(answers)
        self.known = True
        self.found_again = 0
        coordinator: Any = object.__new__(GroupCoordinator)
        coordinator.group_id = "group"
        coordinator.coordinator_id = 1
        coordinator._retry_backoff_ms = 1
        coordinator._client = SimpleNamespace(send=self._send)
        coordinator.coordinator_dead = self._dead
        coordinator.ensure_coordinator_known = self._find
        heed_group_errors(SimpleNamespace(_coordinator=coordinator))
        self.coordinator = coordinator

    async def _send(self, *_: Any, **__: Any) -> Any:
        assert self.known, "asked a coordinator that had moved"
        return self.left.pop(0)

    def _dead(self) -> None:
        self.known = False

    async def _find(self) -> None:
        self.found_again += not self.known
        self.known = True

    def committed(self) -> int:
        found = asyncio.run(self.coordinator.fetch_committed_offsets([PLACE]))
        return int(found[PLACE].offset)


@pytest.mark.parametrize(
    ("code", "finds"), [(LOADING, 0), (NOT_AVAILABLE, 1), (NOT_COORDINATOR, 1)]
)
def test_an_answer_that_names_no_partition_is_asked_for_again(code: int, finds: int) -> None:
    asked = Asked(Answer(0, [], code), GOOD)

    assert asked.committed() == 41
    assert (asked.left, asked.found_again) == ([], finds)


def test_a_group_that_may_not_be_read_is_an_error() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        Asked(Answer(0, [], NOT_ALLOWED), GOOD).committed()


def test_positions_are_not_reset_while_the_coordinator_loads() -> None:
    """What a consumer asks when partitions are assigned to it takes a way of its own."""
    asked = Asked(Answer(0, [], LOADING), GOOD)
    told: list[int] = []
    state = SimpleNamespace(update_committed=lambda committed: told.append(committed.offset))
    assignment = SimpleNamespace(
        requesting_committed=lambda: [PLACE], state_value=lambda _place: state
    )
    refresh = asked.coordinator._maybe_refresh_commit_offsets

    assert not asyncio.run(refresh(assignment))
    assert told == []
    assert asyncio.run(refresh(assignment))
    assert told == [41]


def test_other_answers_pass() -> None:
    heartbeat = SimpleNamespace(error_code=27)  # with no topics: aiokafka reads that by itself
    asked = Asked(heartbeat, GOOD)

    assert asyncio.run(asked.coordinator._send_req("heartbeat")) is heartbeat


def test_without_it_aiokafka_sees_a_group_that_never_committed() -> None:
    """Once this fails, aiokafka has been mended and `group_errors` can go."""
    asked = Asked(Answer(0, [], LOADING))
    del asked.coordinator._send_req

    assert asyncio.run(asked.coordinator.fetch_committed_offsets([PLACE])) == {}
