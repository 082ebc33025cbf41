"""Decides when the next labeled texts are due: as in production, one window after the other.

A demo that poured its stream in at once would measure how long windows wait behind each other. So
by default a window's texts are sent at a steady rate, and the next window's when this one has been
learned and the training role is idle. A `rate` that is asked for is kept whatever happens.
"""

from dataclasses import dataclass

from consumers.demo.state import DemoState

DEFAULT_RATE = 200.0
QUIET_SECONDS = 20.0
"""Without any fact for this long, the next window is sent although nobody said idle."""
READY_SECONDS = 60.0
"""So long a stream that waits gives the training role to come up, as it has in production."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """The policy: records a second, and how many records go between two looks at the learner."""

    rate: float
    window_records: int
    waits: bool
    """Whether the next window's texts wait until this one's are learned."""


class Pacer:
    """How many labeled texts are due now. Time is monotonic, in seconds."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._counted_from = 0
        self._since: float | None = None
        self._asked_at: float | None = None

    def due(self, state: DemoState, *, now: float) -> int:
        """How many may be sent now, beyond the `state.num_sent` that were."""
        sent = state.num_sent
        if self._since is None and not self._may_begin(state, now):
            return 0
        if self._since is None or (self._waits_after(sent) and self._may_go_on(state, now)):
            self._since, self._counted_from = now, sent
        elif self._waits_after(sent):
            return 0
        allowed = self._counted_from + int((now - self._since) * self._pacing.rate) + 1
        if self._pacing.waits:
            window = self._pacing.window_records
            allowed = min(allowed, (self._counted_from // window + 1) * window)
        return max(0, allowed - sent)

    def _may_begin(self, state: DemoState, now: float) -> bool:
        if self._asked_at is None:
            self._asked_at = now
        ready = state.idle_at is not None or now - self._asked_at > READY_SECONDS
        return ready or not self._pacing.waits

    def _waits_after(self, sent: int) -> bool:
        at_end_of_window = sent > 0 and sent % self._pacing.window_records == 0
        return self._pacing.waits and at_end_of_window and sent != self._counted_from

    def _may_go_on(self, state: DemoState, now: float) -> bool:
        quiet = state.moved_at is not None and now - state.moved_at > QUIET_SECONDS
        return state.learned_all(self._pacing.window_records) and (state.is_idle or quiet)
