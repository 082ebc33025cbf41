"""When an offline task learns: its windows wait until a count or a schedule says so."""

from collections.abc import Sequence
from datetime import datetime

from model.config import TaskConfig
from schemas.window import TrainingWindow


def held_back(windows: Sequence[TrainingWindow], *, config: TaskConfig, now: datetime) -> bool:
    """Whether these waiting windows of one task wait on.

    Until as many wait as `offline.windows` says, or the oldest has waited for
    `offline.every_seconds` since it closed. That is told by the windows alone, so that a restart
    changes nothing: their offsets are not committed while they wait.
    """
    offline = config.offline
    if config.mode == "online" or not windows:
        return False
    enough = offline.windows is not None and len(windows) >= offline.windows
    oldest = min(window.closed_at for window in windows)
    passed = (now - oldest).total_seconds()
    late = offline.every_seconds is not None and passed >= offline.every_seconds
    return not enough and not late
