"""Everything about one task."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, model_validator

from model.config.base import AtLeastOne, Config
from model.config.encoder import EncoderConfig
from model.config.fit import FitConfig
from model.config.gate import GateConfig, MonitorConfig
from model.config.head import HeadConfig
from model.config.memory import HoldoutConfig, ReplayMemoryConfig
from model.config.methods import MethodsConfig
from model.config.refresh import DriftConfig, FeedbackConfig, RefreshConfig
from model.config.retention import RetentionConfig
from model.config.window import OfflineConfig, WindowConfig

STORED = "stored"
"""The context in which a configuration is read that an entry was learned with."""


class TaskConfig(Config):
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
    retention: RetentionConfig = RetentionConfig()
    max_windows_per_update: AtLeastOne = 16
    """Most waiting windows that one update takes together."""
    duplicate_horizon_records: AtLeastOne = 20_000
    """Newest records among which a repeated id is a duplicate or a correction."""
    conflicting_labels: Literal["keep", "newest"] = "keep"
    """One text under two ids with two labels: both are learned, or the newest takes the other's
    place. Either way they are counted."""
    max_new_labels: AtLeastOne = 200
    """Most labels that one window may add. Records of further new labels are dead letters: so many
    at once are taken for a fault of the producer. The window goes on without them."""
    max_labels: Annotated[int, Field(ge=2, le=10_000)] = 1000
    """Most labels of the task; records of any further label are dead letters."""

    @model_validator(mode="after")
    def _a_trained_head_is_trained(self) -> "TaskConfig":
        if self.head.form == "softmax" and not self.refresh.enabled:
            raise ValueError(
                "head.form is softmax, which learns by refresh: refresh.enabled is off"
            )
        return self

    @model_validator(mode="after")
    def _one_choice_of_weights(self) -> "TaskConfig":
        if self.fit.early_stop and self.methods.average is not None:
            raise ValueError(
                f"fit.early_stop is {self.fit.early_stop} and methods.average is on: the weights "
                "of the best epoch or their average; switch one off"
            )
        return self

    @model_validator(mode="after")
    def _methods_that_work_together(self, info: ValidationInfo) -> "TaskConfig":
        """Refuse what would be switched off without a word; what was learned so is read on."""
        if info.context == STORED:
            return self
        given = {name for name in type(self.methods).model_fields if getattr(self.methods, name)}
        whole = given & {"ewc", "l2sp", "pruning"}
        if self.fit.lora_rank and whole:
            raise ValueError(
                f"fit.lora_rank is {self.fit.lora_rank}, which fits adapters and no weight that "
                f"methods.{min(whole)} holds or prunes; switch one off"
            )
        if "pruning" in given and ("fusion" in given or self.fit.early_stop):
            other = "methods.fusion" if "fusion" in given else "fit.early_stop"
            raise ValueError(
                f"methods.pruning reaches its sparsity at the end of a fit, and {other} goes back "
                "to weights from before; switch one off"
            )
        if "ewc" in given and self.method == "finetune":
            raise ValueError(
                "methods.ewc measures what mattered to older records, and method finetune draws "
                "none; take replay"
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
