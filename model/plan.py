"""The plan of a task's next refresh: what feedback has changed against the configuration."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from model.bandit import Bandit
from model.config import DistillationConfig, MethodsConfig, RefreshConfig, TaskConfig

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Adjustment(_Part):
    """One change of a plan, with the evidence for it."""

    field: str
    before: float | None
    """None: as configured."""
    after: float | None
    reason: str
    """In words and numbers, for a person."""


class Plan(_Part):
    """What the next refresh does differently; every field at its default is the configuration.

    Written into each lineage entry, so that it survives restarts and every change can be read.
    """

    refresh_interval: Positive = 1.0
    """Times `refresh.every_records`."""
    compute_share: Positive | None = None
    """What all fits may cost; see `FeedbackConfig.compute_share`."""
    learning_rate_scale: Positive = 1.0
    """Times `fit.learning_rate`; the head's rate stays."""
    epochs: Annotated[int, Field(ge=1)] | None = None
    replay_share: Share | None = None
    replay_horizon: Positive | None = None
    """Times `refresh.newest_records`: how far back the replayed records may lie."""
    distillation_weight: Annotated[float, Field(ge=0)] | None = None
    frozen_layers: Annotated[int, Field(ge=0)] | None = None
    """Lowest transformer layers that are not fitted."""
    promoted_refreshes: Annotated[int, Field(ge=0)] = 0
    """Encoders of its own that the task has had."""
    rejected_in_a_row: Annotated[int, Field(ge=0)] = 0
    """Refreshes since the last promoted one that did not bring a version."""
    spent_sample_steps: Annotated[float, Field(ge=0)] = 0.0
    """Of all fits so far, those of rejected refreshes too."""
    fit_speed: Positive | None = None
    """Sample-steps a second of the last fit, as measured."""
    bandit: Bandit = Bandit()
    """What contests between plans have shown so far."""
    changes: tuple[Adjustment, ...] = ()
    """What the last refresh changed, and its trial and drifts since."""

    def adjusted(self, change: Adjustment) -> Self:
        """The plan with one more change."""
        values = {change.field: change.after, "changes": (*self.changes, change)}
        return type(self).model_validate({**dict(self), **values})

    def applied(self, config: TaskConfig) -> TaskConfig:
        """The configuration that a refresh runs with. The interval is a matter of when, not how."""
        rate = config.fit.learning_rate * self.learning_rate_scale
        fit = {
            "learning_rate": None if self.learning_rate_scale == 1 else rate,
            "epochs": self.epochs,
            "frozen_layers": self.frozen_layers,
        }
        changes = {
            "fit": config.fit.model_copy(update=_given(fit)),
            "refresh": config.refresh.model_copy(
                update=_given(
                    {
                        "replay_share": self.replay_share,
                        "replay_horizon_records": self._replay_horizon(config.refresh),
                    }
                )
            ),
            "methods": self._distilled(config.methods),
        }
        return config.model_copy(update=changes)

    def _replay_horizon(self, config: RefreshConfig) -> int | None:
        """The shorter of the plan's and the configured one, in records."""
        if self.replay_horizon is None:
            return None
        planned = max(1, round(self.replay_horizon * config.newest_records))
        return min(planned, config.replay_horizon_records or planned)

    def _distilled(self, methods: MethodsConfig) -> MethodsConfig:
        if self.distillation_weight is None:
            return methods
        held = methods.distillation or DistillationConfig()
        weighed = held.model_copy(update={"weight": self.distillation_weight})
        return methods.model_copy(update={"distillation": weighed})


def _given(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}
