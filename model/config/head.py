"""The head that serves."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from model.config.base import AtLeastOne, Config, Positive
from schemas.base import Fraction


class HeadConfig(Config):
    """The head: solved in closed form, or trained beside the encoder."""

    form: Literal["auto", "discriminant", "ridge", "softmax"] = "auto"
    """`auto` keeps the discriminant until `min_selection_records` can tell. `softmax` serves the
    head that a fit trains: windows then teach nothing until a refresh, due after each."""
    projection: Annotated[int, Field(ge=0, le=16384)] = 1024
    """Random ReLU features that statistics hold beside the plain ones (McDonnell et al. 2023); 0 is
    none. With D plain ones they take 4 (D + P)^2 bytes in the store, and twice that in memory.
    A change takes effect with the next refresh."""
    features: Literal["auto", "plain", "projected"] = "auto"
    """What the head is solved on; `auto` keeps the plain ones until there are 1.5 records to a
    feature, or the selection records tell. A projected head makes a version 2 D P bytes larger."""
    choose: bool = True
    """Whether form, features and penalty are chosen on selection records; else they are fixed at
    their defaults, which are what is configured here."""
    min_selection_records: AtLeastOne = 100
    """Below these many selection records, 30 at least, they stay at their defaults too."""
    shrinkage: Literal["auto", "oas"] | Fraction = "auto"
    """Default share of the isotropic part in the discriminant's covariance. `oas` estimates it from
    the statistics, much while there are few records and little later (Chen et al. 2010); `auto` is
    that, but 0.3 at least."""
    penalty: Positive = 10.0
    """Default ridge penalty, counted in records: it weighs like so many records of average spread
    (their share of the centred Gram matrix's mean eigenvalue)."""
    prior: Literal["observed", "balanced"] | dict[str, Positive] = "observed"
    """Class priors of the discriminant (ridge and softmax have none): as often as learned, all
    equal, or a share for each label given by name. Labels that are not named have the share that
    was observed; all are normalised over the labels with learned records."""

    half_life_records: Positive | None = None
    """Learned records after which an older one counts half as much in a solved head; none: all
    count alike."""
    half_life_days: Positive | None = None
    """The same in days of event time. Only one of the two can be given."""
    horizon_records: AtLeastOne | None = None
    """Newest learned records that count; older ones are subtracted again. None: all count."""
    horizon_days: Positive | None = None
    """Days of event time before the newest learned record within which records count."""

    @model_validator(mode="after")
    def _one_half_life(self) -> "HeadConfig":
        if self.half_life_records is not None and self.half_life_days is not None:
            msg = (
                f"half_life_records is {self.half_life_records:g} and half_life_days is "
                f"{self.half_life_days:g}: only one can be given"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _projected_features_need_a_projection(self) -> "HeadConfig":
        if self.features == "projected" and not self.projection:
            raise ValueError("features is projected, but projection is 0")
        return self
