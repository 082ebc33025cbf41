"""How the encoder is fine-tuned."""

from typing import Annotated, Literal

from pydantic import Field

from model.config.base import AtLeastOne, Config, Positive
from schemas.base import Fraction


class FitConfig(Config):
    """The fit of a refresh."""

    epochs: AtLeastOne = 2
    """Times that a fit sees each record it draws."""
    batch_size: AtLeastOne = 16
    """Records in one forward and backward pass."""
    accumulate: AtLeastOne = 1
    """Batches whose gradients are added up before a step."""
    optimiser: Literal["adamw", "adam", "sgd", "momentum", "adagrad"] = "adamw"
    """`adamw` decays weights apart from the gradient (Loshchilov and Hutter 2019); `momentum` is
    SGD with it."""
    learning_rate: Positive = 1e-4
    """Of the encoder, at its highest: it rises at first and then falls to 0 linearly."""
    head_learning_rate: Positive = 1e-3
    """Of the head that is trained in the fit, likewise."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Of the encoder's matrices and of the head; the encoder's biases and norms do not decay."""
    warmup_share: Fraction = 0.1
    """Share of the steps over which the learning rate rises."""
    max_gradient_norm: Positive = 1.0
    """Longer gradients, over all parameters, are scaled down to it before a step."""
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
    """Of the matrix products of a fit; `auto` is bfloat16 on CUDA cards that have it and
    on CPUs that are measured to be faster with it."""
