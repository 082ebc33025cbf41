"""What a candidate must prove before it serves, and a version after."""

from typing import Annotated, Literal

from pydantic import Field

from model.config.base import AtLeastOne, Config
from schemas.base import Fraction


class GateConfig(Config):
    """What a candidate must prove."""

    margin_new: Fraction = 0.02
    """How much worse than the champion, in accuracy, still counts as no worse on new records."""
    margin_old: Fraction = 0.02
    """The same on old records."""
    margin_anchor: Fraction = 0.02
    """The same beside the anchor: the best of the last promoted versions."""
    anchor_versions: AtLeastOne = 20
    """After these many promotions the anchor gives way to the newest version, if none was better
    before. More stops slow losses for longer, fewer follow a stream whose meaning drifts."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of each one-sided bound: what counts as proven no worse."""
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Chance that one test takes a candidate as good as the champion for worse; a round makes up
    to four (new, old, both together, anchor)."""
    max_log_loss_increase: Annotated[float, Field(ge=0)] = 0.1
    """How much worse than the champion's, in nats a record, the candidate's log loss may be; over
    it where the lower bound of the difference is. It holds calibration, as accuracy does not."""
    obey: bool = True
    """False: the gate only looks on. What it would reject is promoted, and the reason says so."""
    max_negative_flip_rate: Fraction = 0.1
    """Largest share of holdout records that may turn from right to wrong; over it where the lower
    bound of the share is."""
    insufficient_evidence: Literal["promote_unless_worse", "promote", "reject"] = (
        "promote_unless_worse"
    )
    """What to do where the records at hand prove neither; `promote_unless_worse` still rejects what
    is worse on new and old records taken together."""


class MonitorConfig(Config):
    """The watch over a version that has just taken over: its predecessor answers beside it."""

    enabled: bool = True
    records: AtLeastOne = 500
    """Records of the next windows that both answer before anything is learned from them; after
    these many the new version is confirmed, if no loss is proven by then."""
    max_loss: Fraction = 0.02
    """How much worse than its predecessor, in accuracy, it may be; it is rolled back where the
    loss is proven to be over this."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    """Of that proof, one-sided, at each window."""
    trial: bool = True
    """Whether a refreshed encoder is on trial for `records`, twice as many where it has a loss by
    then that chance may have made: at their end it is rolled back where the one before it did
    better, proven or not, and the older one's head learns what came since. Of those that are as
    good one in five goes, at the cost of its fit. There is none without the log
    (`refresh.read_log`), and none of a trained head. A drift that the one before meets too or many
    new labels end one without a verdict: the encoder stays. Another refresh, by command or for a
    drift, begins one of its own."""
    max_trial_loss: Fraction = 0.01
    """Loss in accuracy, as it is estimated, up to which a refreshed encoder stays; where it is
    larger, the standard error of two that are equally good."""
