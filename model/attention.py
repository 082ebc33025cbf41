"""Which implementation of attention a fit runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from torch import nn


@contextmanager
def plain_attention(transformer: nn.Module) -> Iterator[None]:
    """Write attention out as matrix products while it lasts.

    On texts of some 30 tokens the backward pass of torch's fused attention takes a quarter of a fit
    in bfloat16 on a CPU: MiniLM learns 46-53 records a second with it and 64-70 with attention
    written out (two threads). On CUDA that pass adds up in an order of its own as soon as a text is
    longer than one block of keys (64 or 128), so that a fit could not be made again bit by bit.
    """
    model = cast("Any", transformer)
    before = getattr(model.config, "_attn_implementation", None)
    if before not in ("sdpa", "flash_attention_2"):
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
