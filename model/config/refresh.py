"""When the encoder is refreshed, on what, and what its outcome changes."""

from typing import Annotated

from pydantic import Field, model_validator

from model.config.base import AtLeastOne, Config, Positive
from schemas.base import Fraction


class RefreshConfig(Config):
    """When the encoder is fine-tuned, on what, and how."""

    enabled: bool = True
    """Off: the encoder is refreshed by command alone (`freshet refresh`)."""
    first_after_records: AtLeastOne = 1000
    """Records before the first refresh, learned and held out; up to twice as many while windows
    still bring labels that none before them had."""
    min_records_per_label: AtLeastOne = 20
    """At least two labels must have these many learned records before the first refresh."""
    every_records: AtLeastOne = 1000
    """Records between two refreshes, learned and held out."""
    newest_records: AtLeastOne = 500
    """Most newest records that a refresh fits on. The first may take as many records in all, older
    ones included, whatever the budget of feedback says."""
    least_records: AtLeastOne = 250
    """Where feedback's budget allows a fit of fewer records, none is due by interval. Under
    `budget_sample_steps` or `budget_seconds` a fit may be smaller."""
    replay_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of older records, drawn from the log, in what a refresh fits on."""
    replay_horizon_records: AtLeastOne | None = None
    """How far back these older records may lie: among so many before the newest ones; None has no
    horizon."""
    schedule_seconds: Positive | None = None
    """A refresh is due so long after the last one, where anything came since; None has no schedule.
    It is looked at after each update, and waits for the end of an encoder's trial."""
    budget_sample_steps: AtLeastOne | None = None
    """Most records times epochs of one fit; None is bounded by the records that are drawn."""
    budget_seconds: Positive | None = None
    """Longest fit, at the speed of the last one; the first is not bounded by it."""
    reread_records: AtLeastOne = 10_000
    """Most records that are read again, newest first, to recompute the statistics."""
    reread_seconds: Positive | None = None
    """Longest time to encode them again, else no limit. What it leaves out gets mapped features."""
    read_log: bool = True
    """Whether a refresh may read the whole log. Otherwise it reads the round before it, and of
    older records only those that the replay memory holds; so does a rollback to another encoder."""


class FeedbackConfig(Config):
    """How the outcome of each refresh changes the plan of the next, and how far."""

    enabled: bool = True
    small_gain: Fraction = 0.15
    """A refresh pays where it removes at least this share of the champion's errors on the
    selection records and gains more answers than one standard error."""
    compute_share: Annotated[float, Field(gt=0, le=1)] = 0.33
    """What all fits so far may cost, as a share of the sample-steps of training on every record
    seen for as many epochs, while nothing speaks for another one. A refresh draws what is left of
    it."""
    paying_compute_share: Annotated[float, Field(gt=0)] = 0.95
    """The same once a refresh has paid, after a drift, and where there is much to gain."""
    promising_error: Fraction = 0.1
    """There is much to gain where the champion surely has this share of the selection records wrong
    (lower bound of a one-sided 90 % interval). A fit removes a tenth to a fifth of its errors, so
    that below this it gains a point at most."""
    min_refresh_interval: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Smallest multiple of `refresh.every_records`."""
    max_refresh_interval: Annotated[float, Field(ge=1)] = 8.0
    """Largest multiple of `refresh.every_records`."""
    min_learning_rate_scale: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Smallest multiple of `fit.learning_rate`; the largest is 1."""
    max_replay_share: Annotated[float, Field(ge=0, lt=1)] = 0.8
    """Largest share of older records, after fits that forgot."""
    min_replay_share: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Smallest, after fits that learned nothing new."""
    max_replay_horizon: Annotated[float, Field(gt=0)] = 8.0
    """Longest multiple of `refresh.newest_records` that older records are drawn from once fits with
    them lost new answers; beyond it there is no horizon."""
    min_replay_horizon: Annotated[float, Field(gt=0)] = 2.0
    """Shortest such multiple."""
    max_distillation_weight: Annotated[float, Field(ge=0)] = 2.0
    """Largest weight of distillation from the champion, after fits that forgot."""
    max_frozen_layers: Annotated[int, Field(ge=0)] = 3
    """Most of the lowest layers that feedback keeps as they are."""
    bandit: bool = False
    """A refresh tries two plans, each on half the sample-steps, and goes on with the better one on
    selection records: as planned, at half the learning rate, with more replay, or with the lower
    half of the layers frozen, within the bounds above. A bandit chooses the two."""
    bandit_range: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of the log loss on selection records before the fit whose gain earns an arm the largest
    reward, and whose loss earns it none."""

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> "FeedbackConfig":
        for low, high in (
            ("min_replay_share", "max_replay_share"),
            ("min_replay_horizon", "max_replay_horizon"),
            ("compute_share", "paying_compute_share"),
        ):
            least, most = getattr(self, low), getattr(self, high)
            if least > most:
                raise ValueError(f"{low} is {least}, more than {high}, which is {most}")
        return self


class DriftConfig(Config):
    """When more errors on what was known are a drift, and what follows."""

    enabled: bool = True
    delta: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """ADWIN's: the smaller, the surer and the later. At 0.02 none of 40 streams of 50 windows
    without drift raised an alarm, and a rise by 10 points showed within two windows nine times in
    ten."""
    min_rise: Fraction = 0.05
    """Smallest rise of the share of wrong answers that counts."""
    min_records: AtLeastOne | None = None
    """Records that must have come since before a refresh is due; None is what fills
    `refresh.newest_records`, held-out records apart."""
    forget: bool = False
    """Whether what came before a drift is outside the horizon: the gate then asks nothing of it."""
