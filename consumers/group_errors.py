"""The error of a whole answer about committed offsets, which aiokafka 0.14 passes over.

Since version 2 of OffsetFetch (KIP-88) a coordinator that is loading or has moved answers with one
error and no partition at all. aiokafka reads that as "nothing was committed": a group that starts
at the latest offset would then skip whatever it has not read.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import CoordinatorNotAvailableError, NotCoordinatorError, for_code

_ELSEWHERE = (CoordinatorNotAvailableError, NotCoordinatorError)


def heed_group_errors(consumer: Any) -> None:
    """Let a consumer ask again where its group's coordinator could not answer.

    It leans on inner names of aiokafka 0.14, which tests/consumers/test_group_errors.py holds.

    Args:
        consumer: an `AIOKafkaConsumer` of a group, started and not yet subscribed.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    coordinator._send_req = _checked(coordinator, coordinator._send_req)  # noqa: SLF001


def _checked(
    coordinator: Any, send: Callable[[Any], Awaitable[Any]]
) -> Callable[[Any], Awaitable[Any]]:
    async def checked(request: Any) -> Any:
        response = await send(request)
        # Only the answer to OffsetFetch names topics and has an error of its own beside theirs.
        if hasattr(response, "topics") and (code := getattr(response, "error_code", 0)):
            error: type[Exception] = for_code(code)
            if issubclass(error, _ELSEWHERE):
                coordinator.coordinator_dead()
            raise error
        return response

    return checked
