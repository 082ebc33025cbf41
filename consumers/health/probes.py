"""Lets a role be probed while it runs: the endpoint, and the watch over its event loop."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from consumers.health.endpoint import Answer, HealthEndpoint
from consumers.health.pulse import LOOK_SECONDS, Pulse
from consumers.health.snapshot import Snapshot, not_alive, not_ready, status
from consumers.health.supervisor import Supervisor
from consumers.settings import Settings
from consumers.telemetry import Log


@contextmanager
def probed(settings: Settings, supervisor: Supervisor, *, log: Log) -> Iterator[None]:
    """Answer probes and watch the running event loop until the block is left.

    Raises:
        ConfigError: the port is taken.
    """
    # Leaving may block the loop, for which there is a limit of its own.
    limit_seconds = max(settings.stall_seconds, settings.shutdown_seconds)

    def say(seconds: float) -> None:
        log.error("loop_hangs", seconds=round(seconds, 1), limit_seconds=limit_seconds)

    pulse = Pulse(limit_seconds=limit_seconds, say=say)
    answers = Probes(lambda: supervisor.snapshot, pulse, limit_seconds=settings.stall_seconds)
    beating = asyncio.ensure_future(_beat(pulse))
    with ExitStack() as stack:
        stack.callback(beating.cancel)
        if settings.health_port:
            endpoint = HealthEndpoint(
                host=settings.health_host, port=settings.health_port, answers=answers.paths
            )
            stack.enter_context(endpoint)
            log.info("health_endpoint", host=settings.health_host, port=endpoint.port)
        pulse.start()
        stack.callback(pulse.stop)
        yield


class Probes:
    """What `/live`, `/ready` and `/status` answer, in any thread."""

    def __init__(
        self, snapshot: Callable[[], Snapshot], pulse: Pulse, *, limit_seconds: float
    ) -> None:
        self._snapshot, self._pulse, self._limit_seconds = snapshot, pulse, limit_seconds
        self.paths = {"/live": self.live, "/ready": self.ready, "/status": self.status}

    def live(self) -> Answer:
        """Whether the process should go on."""
        return _answer(not_alive(self._snapshot(), **self._silence))

    def ready(self) -> Answer:
        """Whether work can be expected of it."""
        return _answer(not_ready(self._snapshot(), **self._silence))

    def status(self) -> Answer:
        """All there is to say."""
        return True, status(self._snapshot(), now=time.monotonic())

    @property
    def _silence(self) -> dict[str, float]:
        seconds = self._pulse.silent_seconds
        return {"silent_seconds": seconds, "limit_seconds": self._limit_seconds}


def _answer(reasons: list[str]) -> Answer:
    return not reasons, {"ok": not reasons, "reasons": reasons}


async def _beat(pulse: Pulse) -> None:
    while True:
        pulse.beat()
        await asyncio.sleep(LOOK_SECONDS / 2)
