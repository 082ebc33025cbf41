"""Which implementation of attention a fit runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from torch import nn


@contextmanager
def plain_attention(transformer: nn.Module, *, on_cpu: bool) -> Iterator[None]:
    """Write attention out as matrix products while it lasts, on a CPU.

    On texts of some 30 tokens the backward pass of torch's fused attention takes a quarter of a fit
    in bfloat16 on a CPU: MiniLM at 55 records a second against 69 (2 cores of a Zen 4, one run).
    """
    model = cast("Any", transformer)
    before = getattr(model.config, "_attn_implementation", None) if on_cpu else None
    if before not in ("sdpa", "flash_attention_2"):
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
