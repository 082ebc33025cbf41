"""How a task learns: frozen, validated, with a default for everything.

A field's docstring gives its meaning and unit. The window role reads `window`, the worker the rest.
"""

from model.config.encoder import PACKAGED_ENCODER, EncoderConfig, Pooling
from model.config.fit import FitConfig
from model.config.gate import GateConfig, MonitorConfig
from model.config.head import HeadConfig
from model.config.memory import HoldoutConfig, ReplayMemoryConfig
from model.config.methods import (
    AverageConfig,
    ContrastiveConfig,
    DerConfig,
    DistillationConfig,
    EwcConfig,
    FeatureDistillationConfig,
    FusionConfig,
    L2SpConfig,
    MethodsConfig,
    PruningConfig,
)
from model.config.refresh import DriftConfig, FeedbackConfig, RefreshConfig
from model.config.retention import RetentionConfig
from model.config.task import TaskConfig
from model.config.window import OfflineConfig, WindowConfig

__all__ = [
    "PACKAGED_ENCODER",
    "AverageConfig",
    "ContrastiveConfig",
    "DerConfig",
    "DistillationConfig",
    "DriftConfig",
    "EncoderConfig",
    "EwcConfig",
    "FeatureDistillationConfig",
    "FeedbackConfig",
    "FitConfig",
    "FusionConfig",
    "GateConfig",
    "HeadConfig",
    "HoldoutConfig",
    "L2SpConfig",
    "MethodsConfig",
    "MonitorConfig",
    "OfflineConfig",
    "Pooling",
    "PruningConfig",
    "RefreshConfig",
    "ReplayMemoryConfig",
    "RetentionConfig",
    "TaskConfig",
    "WindowConfig",
]
