"""What a role says of itself, for the watchdog, the probes and whoever asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of a role's handler at one moment."""

    working_on: str = ""
    """What is in hand besides the batch that is handed over; empty: nothing."""
    beat_at: float = 0.0
    """When that last gave a sign of getting on, by `time.monotonic`."""
    not_ready: str = ""
    """Why the role cannot do its work yet; empty: it can."""
    tasks: Mapping[str, Any] = field(default_factory=dict)
    """What there is to say of each task: the version that answers, open windows, and so on."""
