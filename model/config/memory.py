"""What is kept with its text: held-out records, and learned ones."""

from typing import Annotated

from pydantic import Field

from model.config.base import AtLeastOne, Config


class HoldoutConfig(Config):
    """What is never learned. Salt and share are frozen with a task's first entry."""

    share: Annotated[float, Field(gt=0, lt=0.9)] = 0.1
    """Share of texts that are held out, by a keyed hash of the normalised text. What is held out is
    never learned: on 150 intents with 20 texts each, a fifth cost 0.8 points more than a tenth."""
    salt: str = "freshet"
    """Key of that hash."""
    memory_records: AtLeastOne = 2000
    """Most held-out records that are kept, over all labels, recent rounds apart."""
    memory_bytes: AtLeastOne = 8_000_000
    """Most bytes of their texts, UTF-8, recent rounds apart."""
    recent_windows: AtLeastOne = 5
    """Rounds whose held-out records are pooled as *new*, the last that brought any; older ones are
    *old*. A round may take several windows."""


class ReplayMemoryConfig(Config):
    """Learned records that are kept with their texts, balanced over labels and sources."""

    records: Annotated[int, Field(ge=0)] = 2000
    """Most records; 0 keeps none."""
    bytes: AtLeastOne = 8_000_000
    """Most bytes of their texts, UTF-8."""
