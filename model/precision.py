"""In which precision a fit multiplies matrices."""

import time
from functools import cache
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

_LEAST_SPEEDUP = 1.2
"""Of the products: casting costs a part of what they save. A Xeon without AMX has 0.5."""
_TRIES = 30


def bfloat16_pays(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 matrices so much faster that a fit gains by it.

    CUDA cards are asked. A CPU with the instructions is measured, once in a process: with them a
    fit of MiniLM gains half its speed on one and loses a third on another.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and _cpu_multiplies() and cpu_speedup() >= _LEAST_SPEEDUP


def _cpu_multiplies() -> bool:
    """Without the instructions every try of `cpu_speedup` would take long."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001


@cache
def cpu_speedup() -> float:
    """How many times faster one core multiplies in bfloat16: the best of many short tries.

    Short, so that some are not interrupted, however busy the machine is.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        best = {
            dtype: min(_product_seconds(dtype) for _ in range(_TRIES))
            for dtype in (torch.float32, torch.bfloat16)
        }
    finally:
        torch.set_num_threads(threads)
    return best[torch.float32] / best[torch.bfloat16]


def _product_seconds(dtype: torch.dtype) -> float:
    left, right = torch.ones(256, 384, dtype=dtype), torch.ones(384, 768, dtype=dtype)
    began = time.perf_counter()
    torch.mm(left, right)
    return time.perf_counter() - began
