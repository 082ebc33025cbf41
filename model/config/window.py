"""When a window closes, and when a task that gathers windows learns them."""

from pydantic import model_validator

from model.config.base import AtLeastOne, Config, Positive


class WindowConfig(Config):
    """When a window closes."""

    records: AtLeastOne = 200
    """Records in a full window."""
    max_age_seconds: Positive = 7 * 24 * 3600.0
    """Longest event time between a window's first record and a later one."""
    max_idle_seconds: Positive = 600.0
    """Longest wall-clock time that a window stays open; it bounds how far a quiet task holds back
    the committed offset of its partition."""


class OfflineConfig(Config):
    """When an offline task learns the windows that wait; whichever comes first."""

    windows: AtLeastOne | None = None
    """So many wait."""
    every_seconds: Positive | None = 24 * 3600.0
    """The oldest closed so long ago."""

    @model_validator(mode="after")
    def _something_ends_the_wait(self) -> "OfflineConfig":
        if self.windows is None and self.every_seconds is None:
            raise ValueError("windows and every_seconds are both empty: nothing would be learned")
        return self
