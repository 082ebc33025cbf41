"""How long the files of a task stay in the store; its lineage entries stay for ever."""

from typing import Annotated

from pydantic import Field

from model.config.base import AtLeastOne, Config

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
AtLeastOneHour = Annotated[float, Field(ge=1, allow_inf_nan=False)]


class RetentionConfig(Config):
    """Which versions keep their files.

    What the next round, the serving version, the anchor and the monitor need always stays, whatever
    stands here.
    """

    versions: AtLeastOne = 20
    """So many of the last versions can be restored by a rollback, each with its statistics."""
    days: NotNegative = 0.0
    """All versions that were promoted so many days ago or less can be restored too; 0 adds none."""
    ensemble: AtLeastOne = 2
    """The newest version under each of so many encoders stays: what an export of an ensemble
    averages."""
    serving_hours: NotNegative = 6.0
    """A version that was replaced so many hours ago or less can still be served: no serve role that
    is alive should be further behind."""
    attempt_hours: AtLeastOneHour = 24.0
    """What a round wrote that never came to an entry, and an encoder that nobody uses, stays so
    long; a round in flight always stays."""
